"""What is counted, over all workers, and what it says of drift."""
