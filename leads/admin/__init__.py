"""What operators see of this app, a page for each table."""

from django.contrib import admin

from leads.admin.forms import LandingFormAdmin
from leads.admin.refused import RefusedFormAdmin
from leads.admin.senders import SenderAdmin
from leads.admin.submissions import SubmissionAdmin
from leads.models import LandingForm, RefusedForm, Sender, Submission

admin.site.register(LandingForm, LandingFormAdmin)
admin.site.register(RefusedForm, RefusedFormAdmin)
admin.site.register(Sender, SenderAdmin)
admin.site.register(Submission, SubmissionAdmin)
