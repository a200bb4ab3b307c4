"""A submission becomes a lead, so that one person has one. Begin with ``protocol``."""
