"""What is trained of an encoder, or on top of it, with the tasks' loss. Frozen is none of these."""
