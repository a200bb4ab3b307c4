"""Bodies as the landing pages send them, and the addresses they go to."""

from __future__ import annotations

from typing import Any, Final

PROFTEST_URL: Final = "/api/landing/proftest"
SUBMIT_URL: Final = "/api/landing/submit"

PROFTEST: Final[dict[str, Any]] = {
    "name": "Test User",
    "email": "test@onai.academy",
    "phone": "+77771112233",
    "source": "proftest_main",
    "proftestAnswers": [{"questionNumber": 1, "question": "Что ближе?", "answer": "Числа"}],
}
EXPRESS: Final[dict[str, Any]] = {
    "name": "Test User",
    "phone": "8 (777) 111-22-33",
    "email": "test@onai.academy",
    "paymentMethod": "kaspi",
    "source": "express",
    "campaignSlug": "autumn",
    "utmParams": {"utm_source": "google", "gclid": "abc"},
    "metadata": {"page": "/express"},
}
