"""Small doors every request passes; no domain words."""

from django.http import HttpResponse
from django.utils.cache import add_never_cache_headers


class RefuseOddCharset:
    """Bodies in a charset other than UTF-8 are refused: Django 5.2's own 400 page answers 500 to UTF-16 forms."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        charset = request.content_params.get("charset", "utf-8").lower()
        if charset not in ("utf-8", "utf8", "us-ascii"):
            return HttpResponse("This site reads UTF-8 only.\n", status=415, content_type="text/plain")
        return self.get_response(request)


class NoStoreBehindSignIn:
    """Pages of signed-in people leave nothing in caches."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if request.user.is_authenticated:
            add_never_cache_headers(response)
        return response
