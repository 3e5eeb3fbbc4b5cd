"""What a field's head learns from besides its labels: one method a file."""
