"""Django settings: what the environment says (docs/configuration.md), and what follows from it."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.schedules import crontab
from csp.constants import NONE, SELF
from redis.backoff import NoBackoff
from redis.retry import Retry

from amocrm.text.printable import is_visible_ascii
from config import values
from config.env import ConfigError, Environment
from config.logging import logging_config
from config.loopback import is_loopback
from config.openapi.description import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS
from config.openapi.description import swagger_ui

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"

env = Environment.load(BASE_DIR / "env.env")

# --- what the environment says ---------------------------------------------------------------

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY")
WEB_HOST = env.parsed("WEB_HOST", values.ip_address, "127.0.0.1")
PORT = env.integer("PORT", 3000, minimum=1, maximum=65535)

REDIS_ENABLED = env.flag("REDIS_ENABLED", default=True)
REDIS_URL = env.parsed("REDIS_URL", values.redis_url, "redis://127.0.0.1:6379/0")
REDIS_LOCKS_URL = env.parsed("REDIS_LOCKS_URL", values.redis_url, "redis://127.0.0.1:6379/1")

AMOCRM_BASE_URL = env.parsed("AMOCRM_BASE_URL", values.account_url)
AMOCRM_ACCESS_TOKEN = env.secret("AMOCRM_ACCESS_TOKEN")
AMOCRM_PIPELINE_ID = env.optional_integer("AMOCRM_PIPELINE_ID")
AMOCRM_STATUS_PROFTEST = env.optional_integer("AMOCRM_STATUS_PROFTEST")
AMOCRM_STATUS_EXPRESSCOURSE = env.optional_integer("AMOCRM_STATUS_EXPRESSCOURSE")
AMOCRM_STATUS_KASPI = env.optional_integer("AMOCRM_STATUS_KASPI")
AMOCRM_STATUS_CARD = env.optional_integer("AMOCRM_STATUS_CARD")
AMOCRM_STATUS_MANAGER = env.optional_integer("AMOCRM_STATUS_MANAGER")
AMOCRM_MAX_RPS = env.number("AMOCRM_MAX_RPS", 5, minimum=0.1, maximum=10_000)
AMOCRM_TIMEOUT = env.number("AMOCRM_TIMEOUT", 20, minimum=0.1, maximum=300)

LOCK_TTL = env.integer("LOCK_TTL", 60, minimum=1, maximum=3600)
LOCK_WAIT = env.number("LOCK_WAIT", 2, minimum=0, maximum=60)
SETTLE_SECONDS = env.integer("SETTLE_SECONDS", 300, minimum=1, maximum=86_400)

PHONE_REGION = env.parsed("PHONE_REGION", values.phone_region, "KZ")
PHONE_SEARCH = env.choice("PHONE_SEARCH", ("digits", "all"), "digits")
IGNORED_IDENTITIES = env.each(
    "IGNORED_IDENTITIES", lambda text: values.identity(text, PHONE_REGION)
)
PERSON_MAX_IDENTITIES = env.integer("PERSON_MAX_IDENTITIES", 5, minimum=1, maximum=1000)
IDENTITY_MAX_PEOPLE = env.integer("IDENTITY_MAX_PEOPLE", 5, minimum=1, maximum=100)

BURST = env.choice("BURST", ("auto", "off"), "auto")
BURST_MAX_PER_MINUTE = env.optional_integer("BURST_MAX_PER_MINUTE")

LANDING_ALLOWED_ORIGINS = env.each("LANDING_ALLOWED_ORIGINS", values.origin)
LANDING_THROTTLE = env.parsed("LANDING_THROTTLE", values.throttle, "60/min")
PERSON_THROTTLE = env.parsed("PERSON_THROTTLE", values.throttle, "20/hour")
REPEAT_SECONDS = env.number("REPEAT_SECONDS", 1.5, minimum=0, maximum=3600)
FORM_MIN_SECONDS = env.number("FORM_MIN_SECONDS", 1, minimum=0, maximum=60)
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", 0, minimum=0, maximum=10)

METRICS_TOKEN = env.secret("METRICS_TOKEN")

LOG_FORMAT = env.choice("LOG_FORMAT", ("console", "json"), "console")
LOG_PII = env.choice("LOG_PII", ("full", "masked"), "full")

# --- what does not go together ---------------------------------------------------------------

if not SECRET_KEY.strip() and not DEBUG:
    raise ConfigError(
        "SECRET_KEY is not set: put a long random text into env.env, such as python3 -c 'import"
        " secrets; print(secrets.token_urlsafe(50))' prints, or set DEBUG=true on a machine of your"
        " own."
    )
if DEBUG and not is_loopback(WEB_HOST):
    raise ConfigError(
        f"WEB_HOST is {WEB_HOST} while DEBUG is true: pages show settings and tracebacks then, so"
        " nobody but this machine may ask for them. Set DEBUG=false, or leave WEB_HOST empty."
    )
if LOCK_TTL < 2 * AMOCRM_TIMEOUT:
    raise ConfigError(
        f"LOCK_TTL is {LOCK_TTL}, less than twice AMOCRM_TIMEOUT ({AMOCRM_TIMEOUT:g}): a lock must"
        f" outlive the calls made under it, so set at least {2 * AMOCRM_TIMEOUT:g}."
    )
if SETTLE_SECONDS < 2 * AMOCRM_TIMEOUT + 5:
    raise ConfigError(
        f"SETTLE_SECONDS is {SETTLE_SECONDS}, less than twice AMOCRM_TIMEOUT plus 5"
        f" ({2 * AMOCRM_TIMEOUT + 5:g}): a call may still be under way then, so set at least that."
    )
AMOCRM_IS_LOCAL = is_loopback(urlsplit(AMOCRM_BASE_URL).hostname)
if AMOCRM_MAX_RPS > 7 and not AMOCRM_IS_LOCAL:
    raise ConfigError(
        f"AMOCRM_MAX_RPS is {AMOCRM_MAX_RPS:g}: amoCRM blocks accounts that send more than 7"
        " requests a second, so set 7 or less."
    )
if not AMOCRM_ACCESS_TOKEN:
    raise ConfigError(
        "AMOCRM_ACCESS_TOKEN is not set: put the integration's long-lived token into env.env (any"
        " word will do for the sandbox)."
    )
if not is_visible_ascii(AMOCRM_ACCESS_TOKEN):
    raise ConfigError(
        "AMOCRM_ACCESS_TOKEN holds spaces or characters that no token has: copy it again, whole"
        " and alone."
    )
if METRICS_TOKEN and not (is_visible_ascii(METRICS_TOKEN) and len(METRICS_TOKEN) >= 16):
    raise ConfigError(
        "METRICS_TOKEN is too easy to guess or holds spaces: write 16 or more letters, digits and"
        " signs, or leave it empty."
    )

# --- Django ----------------------------------------------------------------------------------

# Without one, sessions end with the process that made them: a key that everybody knows would let
# anybody make one.
if not SECRET_KEY.strip():
    SECRET_KEY = secrets.token_urlsafe(50)

# The documented checks are `curl http://localhost:…` on the server itself, so loopback names
# are always served.
_own_hosts = env.each("ALLOWED_HOSTS", values.host_pattern)
ALLOWED_HOSTS = list(dict.fromkeys([*_own_hosts, "localhost", "127.0.0.1", "[::1]"]))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "axes",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "amocrm",
    "leads",
    "locks_admin",
]

MIDDLEWARE = [
    "config.debug.hosts.refuse_foreign_hosts",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "config.login.pages.RefusedLoginMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {
    "default": env.parsed(
        "DATABASE_URL", lambda text: values.database(text, BASE_DIR), "sqlite:///var/db.sqlite3"
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "ru"
LANGUAGES = [("ru", "Русский"), ("en", "English")]
TIME_ZONE = "Asia/Almaty"
USE_I18N = True
USE_TZ = True
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]

# WhiteNoise also serves what the apps bring along, so a forgotten collectstatic costs a little
# memory and not the admin's looks.
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [("swagger_ui", swagger_ui())]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}

# --- security --------------------------------------------------------------------------------

# TLS ends at the proxy: nothing here redirects, and the proxy's word on the scheme counts only
# when there is one.
SECURE_SSL_REDIRECT = False
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]  # HSTS and the redirect: the proxy's
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.debug.page.NoCredentials"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
# Behind TLS the browser's Origin is https://<our host> while Django may see plain http. These
# are our own hosts, never the landing pages'.
CSRF_TRUSTED_ORIGINS = [
    f"https://{'*' if host.startswith('.') else ''}{host}" for host in _own_hosts if host != "*"
]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

CORS_ALLOWED_ORIGINS = list(LANDING_ALLOWED_ORIGINS)
CORS_URLS_REGEX = r"^/api/landing/"
CORS_ALLOW_METHODS = ["GET", "OPTIONS", "POST"]
CORS_ALLOW_HEADERS = ["accept", "accept-language", "content-type", "idempotency-key"]
CORS_EXPOSE_HEADERS = ["retry-after"]

# --- the login of the admin (config/login/) --------------------------------------------------

AUTHENTICATION_BACKENDS = ["config.login.backend.LoginBackend"]
# By the user name and the address together: nobody can lock out an operator from elsewhere.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
LOGIN_ADDRESS_LIMIT = 20  # an address alone, in the same time
AXES_HANDLER = "config.login.handler.LockoutHandler"
AXES_CLIENT_IP_CALLABLE = "config.login.failures.address_of"
AXES_LOCKOUT_CALLABLE = "config.login.pages.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "username"  # axes finds it out by itself, but as no plain text
AXES_SENSITIVE_PARAMETERS = ["username", "csrfmiddlewaretoken"]  # not kept, nor is the password
AXES_DISABLE_ACCESS_LOG = True  # a row for each login, for ever
AXES_ENABLE_ADMIN = False  # three tables, two of them empty; its commands say more
AXES_VERBOSE = False

# --- REST framework --------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "leads.api.authentication.AdminSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["leads.api.parsers.BoundedJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "leads.api.negotiation.OneRenderer",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "leads.api.exceptions.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

# --- Redis: locks ----------------------------------------------------------------------------

# redis-py would try every command eleven times with growing pauses. A lock must rather fail at
# once: the delivery comes back by itself, and a lock taken by a repeated command would be an
# orphan. The timeout bounds every answer, the waiting ones (BLPOP) included.
REDIS_LOCKS_SOCKET_TIMEOUT = 2.0
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
if REDIS_ENABLED:
    CACHES["locks"] = {
        "BACKEND": "redis_lock.django_cache.RedisCache",
        "LOCATION": REDIS_LOCKS_URL,
        "OPTIONS": {
            "CLIENT_CLASS": "django_redis.client.DefaultClient",
            "SOCKET_CONNECT_TIMEOUT": 0.75,
            "SOCKET_TIMEOUT": REDIS_LOCKS_SOCKET_TIMEOUT,
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 0)},
            "REDIS_CLIENT_KWARGS": {"retry": Retry(NoBackoff(), 0)},
        },
    }
else:
    # The alias always exists, so importing never fails; nothing takes a lock with it.
    CACHES["locks"] = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}

# --- Redis: Celery ---------------------------------------------------------------------------

# A worker's connection waits in BRPOP for a second at a time: its socket timeout must be longer
# than that, and a Redis that stops answering is noticed by kombu's health check.
_broker_names = {"global_keyprefix": "lead-gateway:"}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    **_broker_names,
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 5,
    # A message only says that there is work, and may be lost. Kept acknowledgements would do
    # harm: each that a dying Redis does not take counts against the prefetch limit for ever, and
    # once that is full the worker asks for nothing any more and notices nothing, until it is
    # started anew.
    "ack_emulation": False,
}
# For `app.connection_for_write(transport_options=…)`: whoever accepts a form must not wait for
# the broker. `max_retries` is kombu's own loop around connecting, endless if not set.
DISPATCH_TRANSPORT_OPTIONS = {
    **_broker_names,
    "socket_connect_timeout": 0.5,
    "socket_timeout": 0.5,
    "retry_on_timeout": False,
    "max_retries": 0,
}
# A message that is older is worthless, for the sweep sends another one. None may expire sooner: by
# a worker's clock that is ahead it would be too old when it comes, and clocks may differ by nearly
# SETTLE_SECONDS.
DISPATCH_EXPIRES = SETTLE_SECONDS + 60
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_DEFAULT_QUEUE = "leads"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = 8
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True  # only acks_late tasks: none
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "deliver-due": {
        "task": "leads.tasks.sweep",
        "schedule": 2.0,
        "options": {"expires": DISPATCH_EXPIRES},
    },
    "find-duplicate-leads": {
        "task": "leads.tasks.find_duplicate_leads",
        "schedule": crontab(hour="3", minute="0"),
        "options": {"expires": 3600},
    },
}

# --- logs ------------------------------------------------------------------------------------

LOGGING = logging_config(
    log_format=LOG_FORMAT,
    masked=LOG_PII == "masked",
    secrets=[AMOCRM_ACCESS_TOKEN, SECRET_KEY, METRICS_TOKEN],
)
