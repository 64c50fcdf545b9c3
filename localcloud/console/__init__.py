"""The console: one page for people over what the local cloud holds. It changes nothing.

    /  /traces  /traces/ID  /map  /alerts  /logs  /resources      the page; its script shows the view of the address
    /blueprint/static/FILE                                        its scripts and styles
    /logs/query;query=…  /traces/explorer;…  /monitoring/…  /run  the paths of console.cloud.google.com: sent on to a view
    /blueprint.json                                               project, region, services and their addresses

Its own JSON, all by GET; each carries an ETag and answers 304 to `If-None-Match` while nothing has changed:

    /blueprint/traces       ?service= &status= &min_ms= &kept= &text= &page=    newest first, 200 a page
    /blueprint/traces/ID    the picture of one trace (`traces/picture.py`)
    /blueprint/traces/ID/spans/SPAN    attributes and events of one span
    /blueprint/map          ?minutes=     who calls whom, of all traces or the last minutes; rates over those, else over 15
    /blueprint/alerts       alerts that fired, newest first, and the policies
    /blueprint/alerts/count how many alerts are open
    /blueprint/resources    what is deployed, and who may do what

Log entries come from Google's own `POST /v2/entries:list`.
"""

from localcloud.console.routes import console_routes
from localcloud.console.sources import Sources

__all__ = ["Sources", "console_routes"]
