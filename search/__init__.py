"""What to try and what it means: plan, methods, allocation, training, front, verdict. No database, no HTTP."""
