"""The commands: each takes its words, prints, and gives an exit status; heavy imports are made when it is called."""
