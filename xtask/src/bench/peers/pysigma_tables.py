"""Prints pySigma's own tables of where Sigma's Windows log sources are found, as JSON."""

import json

from sigma.pipelines.common import windows_logsource_mapping
from sigma.pipelines.sysmon.sysmon import sysmon_generic_logsource_eventid_mapping
from sigma.pipelines.windows.windows import windows_generic_category_channel_mapping

print(
    json.dumps(
        {
            "services": windows_logsource_mapping,
            "sysmon": sysmon_generic_logsource_eventid_mapping,
            "powershell": windows_generic_category_channel_mapping,
        }
    )
)
