"""Small doors every request passes; no domain words."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotAllowed
from django.utils.cache import add_never_cache_headers

PLAIN = "text/plain; charset=utf-8"
METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class RefuseOddRequests:
    """Methods no page has: a view of somebody else's may take PUT for a POST. Bodies in a charset other than UTF-8:
    Django 5.2's own 400 page answers 500 to UTF-16 forms. And bodies longer than any form: of a file that is sent along
    Django would take any length, and no page asks for one."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.method not in METHODS:
            return HttpResponseNotAllowed(METHODS, "This site knows GET and POST only.\n", content_type=PLAIN)
        charset = request.content_params.get("charset", "utf-8").lower()
        if charset not in ("utf-8", "utf8", "us-ascii"):
            return _plain("This site reads UTF-8 only.\n", 415)
        if not _is_short(request.headers.get("Content-Length", "0")):
            return _plain("This is longer than any form of this site.\n", 413)
        return self.get_response(request)


def _plain(said, status):
    return HttpResponse(said, status=status, content_type=PLAIN)


def _is_short(length):
    return not length or (length.isdecimal() and int(length[:12]) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


class NoStoreBehindSignIn:
    """Pages of signed-in people leave nothing in caches, nor does the answer that signs them out."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES or request.user.is_authenticated:
            add_never_cache_headers(response)
        return response
