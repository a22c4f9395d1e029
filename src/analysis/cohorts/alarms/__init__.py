"""Alarms before a customer is lost, and whom to call."""
