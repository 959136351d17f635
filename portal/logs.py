"""Last net under the logs: anything shaped like one of our secrets is masked before it is written."""

import logging
import re

SHAPED_LIKE_A_SECRET = re.compile(r"cps_[a-z0-9]{1,8}_[0-9A-Za-z]{49}")


class ScrubSecrets(logging.Filter):
    """Masks secrets in the finished message and in the traceback text."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if SHAPED_LIKE_A_SECRET.search(message):
            record.msg, record.args = SHAPED_LIKE_A_SECRET.sub("cps_***", message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = SHAPED_LIKE_A_SECRET.sub("cps_***", record.exc_text)
        return True
