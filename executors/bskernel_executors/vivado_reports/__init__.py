"""What Vivado writes, read: reports as numbers, logs as messages with their cause. Pure; shared by executors.

A number found here is one that a reader sees in the report; what a damaged or an unknown report does not plainly say
is absent, with a warning. Own code: the libraries that read some of this bring pandas (edalize) or a framework and a
YAML parser (pyEDAA.OutputFilter) into an executor's lock, and leave XML, JSON and the checking to us.
"""

from bskernel_executors.sdk.tool_messages import Message
from bskernel_executors.vivado_reports.causes import Cause, failure_of_run, first_cause, wrong_design
from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.hierarchy import Hierarchy, Instance, read_hierarchy, read_hierarchy_xml
from bskernel_executors.vivado_reports.log import Log, read_log
from bskernel_executors.vivado_reports.power import Power, read_power
from bskernel_executors.vivado_reports.qor import Qor, QorTask, read_qor
from bskernel_executors.vivado_reports.timing import Clock, TimingSummary, read_timing
from bskernel_executors.vivado_reports.utilization import Utilization, read_utilization

MADE_BY = "made_by.json"  # beside FINN's reports: report -> the tool whose numbers it holds

__all__ = [
    "MADE_BY",
    "Cause",
    "Clock",
    "Hierarchy",
    "Instance",
    "Log",
    "Message",
    "Power",
    "Qor",
    "QorTask",
    "ReportHeader",
    "TimingSummary",
    "Utilization",
    "failure_of_run",
    "first_cause",
    "read_header",
    "read_hierarchy",
    "read_hierarchy_xml",
    "read_log",
    "read_power",
    "read_qor",
    "read_timing",
    "read_utilization",
    "wrong_design",
]
