"""What the launcher says to whoever started it; never into ``var/run.log``, it holds a token."""

from __future__ import annotations

from django.conf import settings

from config.launcher.bootstrap import api_token
from config.launcher.console import say

FORM = """\
curl -X POST {base}/api/landing/proftest \\
  -H "Content-Type: application/json" \\
  -d '{{
    "name": "Test User",
    "email": "test@onai.academy",
    "phone": "+77771112233",
    "source": "proftest_main",
    "proftestAnswers": []
  }}'
"""


def greet() -> None:
    """Print where everything is and what can be pasted."""
    base = f"http://localhost:{settings.PORT}"
    locks = f"{base}/api/admin/amocrm-locks"
    token = api_token() or "<a token: /admin/authtoken/tokenproxy/>"
    form = FORM.format(base=base)
    say(
        f"""
Everything is up. Ctrl-C ends it; the output is also in var/run.log.

  Service   {base}/
  Admin     {base}/admin/
  Locks     {base}/admin/locks_admin/lock/
  amoCRM    {settings.AMOCRM_BASE_URL}/

The state of the locks:

curl {locks}/status

The same person twice, which makes one lead:

{form}
sleep 2

{form}
List and clear the locks:

curl -H "Authorization: Token {token}" {locks}

curl -X DELETE -H "Authorization: Token {token}" {locks}

What happened:

tail -n 100 var/run.log | grep "test@onai.academy"
"""
    )
