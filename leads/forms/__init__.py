"""Forms as rows: which one it is, whose pages and senders may send it, and how a page does."""
