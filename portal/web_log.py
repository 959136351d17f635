"""What gunicorn writes down of a request: its path, never its query, into which people paste what they should not. As a
configuration by itself it is the demo's; production's has more (gunicorn.conf.py)."""

import logging
import re

from portal.logs import ScrubSecrets

# gunicorn's own but for the query, and for the address of the page before, which has one as well.
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s "%(a)s"'
QUERY = re.compile(r"\?\S*")


class WithoutQueries(ScrubSecrets):
    """Of a request that breaks, gunicorn's error log has the address."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = QUERY.sub("?…", record.getMessage()), None
        return super().filter(record)


def on_starting(server) -> None:
    server.log.error_log.addFilter(WithoutQueries())
