"""The WSGI application that gunicorn serves (`gunicorn -c python:config.gunicorn`)."""

from django.core.wsgi import get_wsgi_application

from config.startup import settings_or_exit

settings_or_exit(status=3)  # gunicorn's own for a worker that cannot start: the master ends, too
application = get_wsgi_application()
