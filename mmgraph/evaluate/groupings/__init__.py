"""Ways to sort the queries about links into groups that are measured apart, one class a file."""
