"""The page of one result: verdicts first, then the answer, then what it rests on."""

from report_parts import account, bills, comparison, course, load
from report_parts.page import document

# In the order of the page; what a result has no data for is left out.
SECTIONS = (account.verdicts, comparison.front, comparison.forest, load.bill, bills.section,
            load.latency, load.errors, course.series, comparison.slices, account.ledgers,
            account.context)


def page(result):
    """The page of one result."""
    sections = [section for section in (make(result) for make in SECTIONS) if section]
    return document(account.title(result), account.origin(result["context"]), sections)
