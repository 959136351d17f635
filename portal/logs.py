"""Last net under the logs: anything shaped like one of our secrets is masked before it is written."""

import logging

from clients.errors import scrubbed


class ScrubSecrets(logging.Filter):
    """Masks secrets in the finished message and in the traceback text."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if scrubbed(message) != message:
            record.msg, record.args = scrubbed(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = scrubbed(record.exc_text)
        return True
