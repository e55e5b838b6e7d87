"""What is remembered: jobs, candidates, studies, artifacts. Imports search and models; never app."""
