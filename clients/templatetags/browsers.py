"""Which browser it is, in the words people use for it."""

from django import template

register = template.Library()
# What its own words contain; the first that fits. Each of them also claims to be the ones below it.
NAMES = {
    "Edg": "Edge", "OPR/": "Opera", "SamsungBrowser/": "Samsung Internet", "Firefox/": "Firefox", "FxiOS/": "Firefox",
    "CriOS/": "Chrome", "Chrome/": "Chrome", "Safari/": "Safari", "curl/": "curl",
}  # fmt: skip
SYSTEMS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "CrOS": "ChromeOS",
    "Mac OS X": "macOS", "Linux": "Linux",
}  # fmt: skip


@register.filter
def browser(agent: str) -> str:
    """ "Firefox on Linux"; one that is not known as it calls itself, cut."""
    name = next((word for part, word in NAMES.items() if part in agent), "")
    system = next((word for part, word in SYSTEMS.items() if part in agent), "")
    if not name:
        return agent[:60] or "A browser that does not say what it is"
    return f"{name} on {system}" if system else name
