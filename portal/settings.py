"""All settings, read top to bottom; the only reader of the environment (boto3's own variables apart)."""

from email.utils import formataddr
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(env.str("PORTAL_ENV_FILE", default=str(BASE_DIR / ".env")))

# --- What kind of place this is -----------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
# DEMO marks an installation made by `make demo`: random logins, sandbox, http. Production refuses it.
DEMO = env.bool("PORTAL_DEMO", default=False)
AUDIT_ANCHORS = env.str("PORTAL_AUDIT_ANCHORS", default="")  # a file elsewhere
VAR_DIR = Path(env.str("PORTAL_VAR_DIR", default=str(BASE_DIR / "var")))
SECRET_KEY = env.str("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
BASE_URL = env.str("PORTAL_BASE_URL", default="http://localhost:8000")
ORGANISATION = env.str("PORTAL_ORGANISATION", default="Client Portal")

# --- Apps and the way of a request ---------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "clients",
]
MIDDLEWARE = [
    # First, so that what a later one answers by itself has their headers too.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # with random padding against BREACH; the page of a secret opts out
    "portal.middleware.RefuseOddRequests",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.middleware.NoStoreBehindSignIn",
    "clients.middleware.RememberOrigin",
    "clients.views.errors.ToldPlainly",
    "django.contrib.messages.middleware.MessageMiddleware",
    "clients.views.sessions.Sessions",
    "allauth.account.middleware.AccountMiddleware",
    "clients.views.second_factor.RequireSecondFactor",
]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
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
                "clients.views.shell.shell",
            ],
            "builtins": ["clients.templatetags.portal", "clients.templatetags.blocks"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- Data ------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'portal.sqlite3'}")}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: two writers queue for the lock instead of one failing in the middle of its transaction.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA recursive_triggers=ON;",
    }
    if test_file := env.str("TEST_SQLITE_FILE", default=""):
        DATABASES["default"]["TEST"] = {"NAME": test_file}  # a file, so that threads and other processes share it
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "django_cache"}
    if env.bool("PORTAL_SHARED_CACHE", default=not DEBUG)
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# --- Sealing ---------------------------------------------------------------------------------
# "id:base64,id:kms:<name>": the first key seals, every listed key opens. 32 bytes each, or the name of a key of KMS.
SEALING_KEYS = env.str("SEALING_KEYS", default="")
FINGERPRINT_KEYS = env.str("FINGERPRINT_KEYS", default="")

# --- Cognito ---------------------------------------------------------------------------------
# Quota: 5 per second per operation and pool (cognito_facts section 7). Writes to one pool are serialised below it.
COGNITO_WRITES_PER_SECOND = env.float("COGNITO_WRITES_PER_SECOND", default=4.5)
COGNITO_TIMEOUT_SECONDS = env.float("COGNITO_TIMEOUT_SECONDS", default=10.0)
# After an unknown outcome: how long past the client's timeout the old request may still be under way.
UNKNOWN_OUTCOME_MARGIN_SECONDS = env.float("UNKNOWN_OUTCOME_MARGIN_SECONDS", default=5.0)
# How long a new secret may take until Cognito accepts it; a rotator in production waits up to 150 (cognito_facts 2).
SECRET_TEST_SECONDS = env.float("SECRET_TEST_SECONDS", default=300.0)

# Where the portal itself may ask for tokens and keys: a host, or .suffix for all below it. Custom domains are added.
OUTBOUND_HOSTS = env.list("PORTAL_OUTBOUND_HOSTS", default=[".amazoncognito.com", ".amazonaws.com"])

# Fault tests name a point at which the process kills itself; the deploy check refuses it in production.
CRASH_AT = env.str("PORTAL_CRASH_AT", default="")

# --- Sign-in ---------------------------------------------------------------------------------
AUTH_USER_MODEL = "clients.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "clients.views.account.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # people come by invitation: the address is proven when they accept it
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = False
# Wrong passwords: counted by address, and by account and address together. By account alone a stranger could keep its
# owner out; that many addresses try one account is slowed in `views/account.py`, but not where its owner has been.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/300s/key", "login_failed_elsewhere": "20/300s/key"}
PASSWORD_RESET_TIMEOUT = 3600
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
MFA_ADAPTER = "clients.views.account.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "activate_totp": "clients.forms.second_factor.ActivateAppForm",
    "add_webauthn": "clients.forms.second_factor.AddPasskeyForm",
    "authenticate_webauthn": "clients.forms.second_factor.PasskeyForm",
    "login_webauthn": "clients.forms.second_factor.PasskeyLoginForm",
}
MFA_TOTP_ISSUER = "Client Portal"
MFA_REAUTHENTICATION_REQUIRED = False  # ours stands before these pages (`views/step_up.py`): theirs lets some through
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG or DEMO  # http://localhost; production is https or does not start
REQUIRE_SECOND_FACTOR = env.bool("PORTAL_REQUIRE_SECOND_FACTOR", default=not (DEBUG or DEMO))  # of staff
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""  # the default is whatever host the request named
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"

# --- Single sign-on of staff -----------------------------------------------------------------
# Any OpenID Connect provider, by these four together; without them there is none. Only they make a provider, never a
# row of the library's (`views/single_sign_on.py`).
OIDC = {name: env.str(f"PORTAL_OIDC_{name}", default="") for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "NAME")}
OIDC_IS_SECOND_FACTOR = env.bool("PORTAL_OIDC_IS_SECOND_FACTOR", default=False)  # it asks everybody for one
# A claim that lists groups, and "group=role,group=role", the first that fits wins. Without both, no role from claims.
OIDC_ROLE_CLAIM = env.str("PORTAL_OIDC_ROLE_CLAIM", default="")
OIDC_ROLE_MAP = env.str("PORTAL_OIDC_ROLE_MAP", default="")
SOCIALACCOUNT_ADAPTER = "clients.views.single_sign_on.SingleSignOnAdapter"
SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True}}
# Off: with it, whoever controls an address at the provider takes the account. We match once, and by our own rules.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = False
SOCIALACCOUNT_AUTO_SIGNUP = SOCIALACCOUNT_STORE_TOKENS = SOCIALACCOUNT_LOGIN_ON_GET = False

# --- Sessions, cookies, headers ----------------------------------------------------------------
SECURE = not DEBUG and not DEMO
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "portal-session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "portal-csrf"
THEME_COOKIE_NAME = "__Host-theme" if SECURE else "portal-theme"
SHORTCUT_COOKIE_NAME = "__Host-shortcut" if SECURE else "portal-shortcut"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # its own cookie would lack the prefix
SESSION_HOURS = env.int("PORTAL_SESSION_HOURS", default=12)
SESSION_IDLE_MINUTES = env.int("PORTAL_SESSION_IDLE_MINUTES", default=60)
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=SECURE)
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
# How many proxies of ours a request passes. They end TLS, and each appends its caller to X-Forwarded-For.
TRUSTED_PROXIES = env.int("PORTAL_TRUSTED_PROXIES", default=0)
if TRUSTED_PROXIES > 0:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# `no-referrer` would make browsers send `Origin: null`, and Django's CSRF check refuses every form then.
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576

# --- Language, files, mail -----------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = (VAR_DIR if DEMO else BASE_DIR) / "staticfiles"
WHITENOISE_MIMETYPES = {".svg": "image/svg+xml; charset=utf-8"}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if (SECURE or DEMO) and not env.bool("PORTAL_TEST", default=False)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
MAIL_PROVIDER = env.str("PORTAL_MAIL_PROVIDER", default="")
# What anymail calls the key of each provider; SES has none, the portal signs with its own AWS credentials.
MAIL_PROVIDERS = {
    "amazon_ses": "",
    "brevo": "BREVO_API_KEY",
    "mailgun": "MAILGUN_API_KEY",
    "postmark": "POSTMARK_SERVER_TOKEN",
    "resend": "RESEND_API_KEY",
    "sparkpost": "SPARKPOST_API_KEY",
}
MAIL_KEY = env.str("PORTAL_MAIL_KEY", default="")
MAIL_API_URL = env.str("PORTAL_MAIL_API_URL", default="")
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
elif MAIL_PROVIDER:
    EMAIL_BACKEND = f"anymail.backends.{MAIL_PROVIDER}.EmailBackend"
elif DEBUG or DEMO:
    EMAIL_BACKEND, EMAIL_FILE_PATH = "portal.mail.PrivateFiles", str(VAR_DIR / "mail")
else:
    EMAIL_HOST = ""  # sending fails aloud instead of trying this very machine; `check --deploy` names the variable
EMAIL_TIMEOUT = 10
ANYMAIL = {
    "REQUESTS_TIMEOUT": EMAIL_TIMEOUT,
    # One attempt, as everywhere: after a lost answer a second one would be a second mail.
    "AMAZON_SES_CLIENT_PARAMS": {
        "config": {
            "connect_timeout": EMAIL_TIMEOUT,
            "read_timeout": EMAIL_TIMEOUT,
            "retries": {"total_max_attempts": 1},
        }
    },
}
if MAIL_PROVIDERS.get(MAIL_PROVIDER):
    ANYMAIL[MAIL_PROVIDERS[MAIL_PROVIDER]] = MAIL_KEY
    if MAIL_API_URL:
        ANYMAIL[f"{MAIL_PROVIDER.upper()}_API_URL"] = MAIL_API_URL
DEFAULT_FROM_EMAIL = env.str(
    "PORTAL_MAIL_FROM", default=formataddr((ORGANISATION, f"no-reply@{urlsplit(BASE_URL).hostname}"))
)

# --- Logs: never a value -----------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"scrub": {"()": "portal.logs.ScrubSecrets"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["scrub"], "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # Django's own handlers would print what passes no filter, the development server's queries among it.
    "loggers": {name: {"handlers": [], "propagate": True} for name in ("django", "django.server")},
}
