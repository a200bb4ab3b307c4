"""Forms that were answered with an error: kept, shown, mended and sent on."""
