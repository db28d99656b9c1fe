"""A local server that imitates Billy API v2: for the demo, for tests and for trying things out.

It holds one company's books per token in memory: contacts, products, invoices, payments and what they need. It answers
in Billy's shapes and can be told to be slow, to limit, to fail and to lie in the ways a real service does. It imports
nothing else of billy_pipelines. A resource is described once, in `resources`; everything else works from that.
What is a fact about Billy is marked (documented), (observed) or (unverified) where it is imitated; what nobody knows is
a switch or marked "our choice".
"""

from .app import create_app
from .fault import Fault
from .ledger import Change, RequestEntry
from .made_up import made_up_contacts, made_up_invoices, made_up_products
from .server import SandboxServer, serve
from .state import OrganizationSeed, Sandbox
from .switches import Switches

__all__ = [
    "Change",
    "Fault",
    "OrganizationSeed",
    "RequestEntry",
    "Sandbox",
    "SandboxServer",
    "Switches",
    "create_app",
    "made_up_contacts",
    "made_up_invoices",
    "made_up_products",
    "serve",
]
