"""Addresses of the landing API and of the demo page. No trailing slashes."""

from __future__ import annotations

from django.urls import path

from leads.api import demo, views

app_name = "leads"

urlpatterns = [
    path("", demo.home, name="home"),
    path("demo/outcomes/<uuid:submission_id>", demo.outcome, name="demo-outcome"),
    path("api/landing/proftest", views.ProftestView.as_view(), name="proftest"),
    path("api/landing/submit", views.ExpressView.as_view(), name="submit"),
    path("api/landing/f/<slug:slug>", views.FormView.as_view(), name="form"),
    path(
        "api/landing/submissions/<uuid:submission_id>",
        views.SubmissionStatusView.as_view(),
        name="submission-status",
    ),
]
