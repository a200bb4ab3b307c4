"""What there is to see: locks and their states, history, figures, what is wrong."""
