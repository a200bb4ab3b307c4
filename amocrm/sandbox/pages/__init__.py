"""What a browser sees of the sandbox: the pipeline as a board, a lead."""
