"""The search: its space, what is asked, the loop, how a trial is judged, what decides one."""
