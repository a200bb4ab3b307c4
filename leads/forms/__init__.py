"""Forms as rows: what an operator enters, whose pages may send them, and how a page sends them."""
