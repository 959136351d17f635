"""Reminders: each is sent once to each of those it is for, whatever clocks do."""

from django.db import models


class ReminderKind(models.TextChoices):
    EXPIRY = "expiry", "Secret expires"
    OVERLAP = "overlap", "Overlap ends"


class Reminder(models.Model):
    """One mail to one address about one end. The row is written before the mail is sent: none is sent twice."""

    app_client = models.ForeignKey("clients.AppClient", on_delete=models.CASCADE, related_name="reminders")
    kind = models.CharField(max_length=10, choices=ReminderKind.choices)
    ends_at = models.DateTimeField(help_text="What it reminds of; another end is reminded of anew.")
    days = models.PositiveSmallIntegerField(help_text="Of those before the end: 30, 14, 7, 3, 1, 0.")
    to_hash = models.CharField(max_length=64, help_text="Of the address, which is kept nowhere else.")
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["app_client", "kind", "ends_at", "days", "to_hash"], name="reminder_once_per_address"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.days} days"
