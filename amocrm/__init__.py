"""amoCRM for Django: one active lead per person, guarded by visible locks."""
