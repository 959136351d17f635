"""Small doors every request passes; no domain words."""

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotAllowed
from django.utils.cache import add_never_cache_headers

METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class RefuseOddRequests:
    """Methods no page has: a view of somebody else's may take PUT for a POST. And bodies in a charset other than UTF-8:
    Django 5.2's own 400 page answers 500 to UTF-16 forms."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.method not in METHODS:
            return HttpResponseNotAllowed(METHODS, "This site knows GET and POST only.\n", content_type="text/plain")
        charset = request.content_params.get("charset", "utf-8").lower()
        if charset not in ("utf-8", "utf8", "us-ascii"):
            return HttpResponse("This site reads UTF-8 only.\n", status=415, content_type="text/plain")
        return self.get_response(request)


class NoStoreBehindSignIn:
    """Pages of signed-in people leave nothing in caches, nor does the answer that signs them out."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES or request.user.is_authenticated:
            add_never_cache_headers(response)
        return response
