"""What is on this machine, what is missing, and how to get it. Looks only: nothing is installed or fetched."""
