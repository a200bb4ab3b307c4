"""The tables of this app: forms and who sends them, what was sent, what was refused."""

from leads.models.forms import FormField, LandingForm, Sender
from leads.models.refused import RefusedForm
from leads.models.submissions import DeliveryAttempt, Submission

__all__ = ["DeliveryAttempt", "FormField", "LandingForm", "RefusedForm", "Sender", "Submission"]
