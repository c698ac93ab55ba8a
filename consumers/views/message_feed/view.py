"""Message feed as one thing."""

from __future__ import annotations

from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.message_feed.table import MessageTable
from consumers.views.port import View

VIEW = View(MessageFeedView, MessageTable())
