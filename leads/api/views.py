"""The landing API: each view validates, calls one function, answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NoReturn, TypeGuard
from uuid import UUID

from django.db import IntegrityError
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from amocrm.text.printable import is_printable
from leads.api import builders, refusal
from leads.api.exceptions import (
    IdempotencyKeyReused,
    LengthRequired,
    NoSuchForm,
    TooManyForms,
    TooManyRequests,
)
from leads.api.negotiation import OneRenderer
from leads.api.next_page import next_page
from leads.api.parsers import BoundedJSONParser, Form, MultipartParser, TextParser, media_type_of
from leads.api.serializers import LandingSerializer, serializer_of
from leads.api.suspicion import suspicion_of
from leads.api.throttles import LandingThrottle, StatusThrottle, client_of
from leads.api.visitor_page import visitor_page, wants_page
from leads.forms import known
from leads.forms.senders import sender_of
from leads.intake import Accepted, KeyReused, TooManyOfPerson, accept_submission, digest_of
from leads.models import LandingForm, Sender, Submission

_MAX_KEY = 255


class _ByTakes(OneRenderer):
    """Parsers say themselves what they take."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> BaseParser | None:
        media_type = media_type_of(request)
        return next((parser for parser in parsers if parser.takes(media_type)), None)


class LandingView(APIView):
    """What every view of this API shares: a form in, JSON out, nothing kept by caches."""

    authentication_classes: Sequence[Any] = ()
    permission_classes: Sequence[Any] = ()
    throttle_classes: Sequence[Any] = (LandingThrottle,)
    parser_classes = (BoundedJSONParser, TextParser, MultipartParser)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = _ByTakes
    # Preflights are answered before they get here.
    http_method_names = ("get", "head", "post")

    def throttled(self, request: Request, wait: float) -> NoReturn:
        """Say when to come back. Raises ``TooManyRequests``."""
        raise TooManyRequests(wait)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Answer in the caller's language, for the caller alone."""
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)


class FormView(LandingView):
    """``POST /api/landing/f/<slug>``, and the two forms that have addresses of their own."""

    _slug = ""
    _form: LandingForm | None = None
    sender: Sender | None = None
    last_turn: datetime | None = None  # what the throttle found
    _sent = Form()
    _read: LandingSerializer

    def handle_exception(self, exc: Exception) -> Response:
        """As usual, and keep what is refused."""
        if self.request.method == "POST" and _is_refusal(exc):
            refusal.report_and_keep(exc, self.request, self._sent, self._read, self._form)
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """As usual; a page where a visitor waits for one."""
        if isinstance(response, Response) and response.data and wants_page(request, self._sent):
            response = visitor_page(request, response)
        return super().finalize_response(request, response, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Find the form, then as usual."""
        slug = kwargs.get("slug", self._slug)
        self._sent, self._read = Form(), serializer_of(slug)(data={})  # nothing yet
        self._form = known.find(slug)
        self.sender = sender_of(request, self._form)
        super().initial(request, *args, **kwargs)

    def post(self, request: Request, slug: str = "") -> Response:
        """Accept the form: the answer means that it is committed."""
        if "Transfer-Encoding" in request.headers:
            raise LengthRequired
        self._sent = _form_of(request)
        if builders.is_test(self._sent):
            self._existing_form()
            return Response({"success": True})
        read = builders.read(self._sent, self._form)
        self._read = type(self._read)(data=read.form)
        is_valid = self._read.is_valid()  # and who it is, also for operators
        form = self._existing_form()
        if not is_valid:
            raise ValidationError(self._read.errors)
        suspicion = suspicion_of(self._sent)
        if suspicion:
            self._read.remarks.add("form", *suspicion)
        accepted = self._accept(request, read, form, is_suspect=bool(suspicion))
        return self._answer(request, read, form, accepted)

    def _answer(
        self, request: Request, read: builders.Read, form: LandingForm, accepted: Accepted
    ) -> Response:
        is_visitors = self.sender is None and not read.is_from_builder
        if page := next_page(self._sent, form, is_visitors=is_visitors):
            # 303: whatever was posted, the page is fetched.
            return Response(status=status.HTTP_303_SEE_OTHER, headers={"Location": page})
        # Some builders take everything but exactly 200 for a failure, and tell the visitor so.
        wants_200 = read.is_from_builder or (self.sender is not None and self.sender.wants_200)
        done = status.HTTP_200_OK if wants_200 else status.HTTP_202_ACCEPTED
        return Response(_accepted(request, accepted), status=done)

    def _existing_form(self) -> LandingForm:
        """The form that is sent. Raises ``NoSuchForm``."""
        if self._form is None or not self._form.is_active:
            raise NoSuchForm(self.kwargs.get("slug", self._slug))
        return self._form

    def _accept(
        self, request: Request, read: builders.Read, form: LandingForm, *, is_suspect: bool
    ) -> Accepted:
        key, body = _key_and_body(request, self._sent, read, self._read)
        try:
            return accept_submission(
                form=form.slug,
                data=self._read.validated_data,
                named=self._read.named,
                idempotency_key=key,
                body=body,
                is_suspect=is_suspect,
                client=client_of(request, self.sender),
                last_turn=self.last_turn,
            )
        except KeyReused as error:
            raise IdempotencyKeyReused from error
        except TooManyOfPerson as error:
            raise TooManyForms(error.wait) from error
        except IntegrityError as error:
            known.forget()
            self._form = known.find(form.slug)
            if self._form is None:  # it was deleted a moment ago
                raise NoSuchForm(form.slug) from error
            raise


class ProftestView(FormView):
    """``POST /api/landing/proftest``."""

    _slug = "proftest"


class ExpressView(FormView):
    """``POST /api/landing/submit``."""

    _slug = "express"


class SubmissionStatusView(LandingView):
    """``GET /api/landing/submissions/<uuid>``: anyone learns how far it is."""

    authentication_classes = APIView.authentication_classes
    throttle_classes = (StatusThrottle,)

    def get(self, request: Request, submission_id: UUID) -> Response:
        """Where the submission stands; the CRM's side of it is for staff alone."""
        submission = Submission.objects.filter(pk=submission_id).first()
        if submission is None:
            raise NotFound(_("There is no such submission."))
        body: dict[str, Any] = {
            "success": True,
            "leadId": str(submission.pk),
            "status": submission.told_status,
        }
        if _may_see(request.user):
            body |= _for_staff(submission)
        return Response(body)


class NotFoundView(LandingView):
    """Any other address under ``/api/``, for any method."""

    throttle_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises ``NotFound``, before anything is asked of the caller. What was posted is kept:
        it may be a form whose address was mistyped."""
        if request.method == "POST" and request.path.startswith("/api/landing/"):
            refusal.keep_without_address(request, request.path.removeprefix("/api/landing/"))
        raise NotFound(_("There is no such address."))


def _is_refusal(error: Exception) -> TypeGuard[APIException]:
    """Whether a form was refused. One that was sent too fast was not even read."""
    if isinstance(error, TooManyRequests) or not isinstance(error, APIException):
        return False
    return status.is_client_error(error.status_code)


def _form_of(request: Request) -> Form:
    # Nothing parses an empty body.
    return request.data if isinstance(request.data, Form) else Form(request.data)


def _key_and_body(
    request: Request, sent: Form, read: builders.Read, serializer: LandingSerializer
) -> tuple[str | None, object]:
    """What tells a repetition: the sender's key and the body, or the builder's own id and the
    person. Ids are easy to guess: alone, one that came before would swallow somebody's form."""
    key = _idempotency_key(request)
    if key is not None or not read.transaction:
        return key, sent
    body = [read.transaction, sorted(serializer.named)]
    return f"builder {digest_of(body)}", body


def _idempotency_key(request: Request) -> str | None:
    """The ``Idempotency-Key`` header, if any. Raises ``ValidationError``."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    key = key.strip()
    if not key or len(key) > _MAX_KEY or not is_printable(key):
        raise ValidationError(
            {"Idempotency-Key": [_("The Idempotency-Key must have 1 to 255 printable characters.")]}
        )
    return key


def _accepted(request: Request, accepted: Accepted) -> dict[str, Any]:
    return {
        "success": True,
        "leadId": str(accepted.id),
        "status": accepted.status,
        "statusUrl": request.build_absolute_uri(f"{_statuses()}{accepted.id}"),
    }


@cache
def _statuses() -> str:
    """Where the states of submissions are, without the id: looked up once, not for each form."""
    nobody = UUID(int=0)
    return reverse("leads:submission-status", args=[nobody]).removesuffix(str(nobody))


def _may_see(user: Any) -> bool:
    """Whether ``user`` is staff that may view submissions, as in the admin."""
    if not getattr(user, "is_staff", False):
        return False
    return any(user.has_perm(f"leads.{one}_submission") for one in ("view", "change"))


def _for_staff(submission: Submission) -> dict[str, Any]:
    waiting = submission.status == Submission.Status.ACCEPTED
    return {
        "status": submission.status,
        "action": submission.action or None,
        "amocrmLeadId": submission.lead_id,
        "attempts": submission.attempts,
        "nextAttemptAt": submission.next_attempt_at if waiting else None,
        "error": submission.reason or None,
    }
