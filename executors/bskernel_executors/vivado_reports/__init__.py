"""Readers of Vivado's reports and logs, shared by executors. Pure, except for `redact_tree`.

A number from here stands in the report. A value that a damaged or unknown report does not plainly state is absent,
and a warning says so. We parse ourselves because existing libraries add pandas (edalize) or a framework and a YAML
parser (pyEDAA.OutputFilter) to an executor's lock, and still leave XML, JSON and all checks to us.
"""

from bskernel_executors.sdk.tool_messages import Message
from bskernel_executors.vivado_reports.causes import Cause, describe_failure, find_cause, find_wrong_design
from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.hierarchy import Hierarchy, Instance, read_hierarchy, read_hierarchy_xml
from bskernel_executors.vivado_reports.log import ToolLog, read_log
from bskernel_executors.vivado_reports.power import Power, read_power
from bskernel_executors.vivado_reports.qor import Qor, read_qor
from bskernel_executors.vivado_reports.timing_summary import Clock, TimingSummary, read_timing
from bskernel_executors.vivado_reports.utilization import Utilization, read_utilization

__all__ = [
    "Cause",
    "Clock",
    "Hierarchy",
    "Instance",
    "Message",
    "Power",
    "Qor",
    "ReportHeader",
    "TimingSummary",
    "ToolLog",
    "Utilization",
    "describe_failure",
    "find_cause",
    "find_wrong_design",
    "read_header",
    "read_hierarchy",
    "read_hierarchy_xml",
    "read_log",
    "read_power",
    "read_qor",
    "read_timing",
    "read_utilization",
]
