"""Those who send forms in somebody's name: a builder, a site's own back end."""
