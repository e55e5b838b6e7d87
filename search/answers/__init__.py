"""What the results of a job say: front, verdict, efficiency. Arithmetic on values; no torch."""
