"""Looking for what is wrong: with the settings, with the account, with leads already made."""
