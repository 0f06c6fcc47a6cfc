"""What carries the bytes of requests and answers."""
