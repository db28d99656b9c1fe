"""Customers: contacts with the customer flag. The columns are those of the template, plus the keys of rule B5."""

from __future__ import annotations

from billy_pipelines.billy.models import Contact
from billy_pipelines.schemas import contact_meaning as meaning
from billy_pipelines.schemas import contact_requests as requests
from billy_pipelines.schemas.contact_columns import CONTACT_COLUMNS, NEVER_USED
from billy_pipelines.schemas.contact_export import CUSTOMERS_EXPORT
from billy_pipelines.schemas.contact_rules import CONTACT_KEYS, check_vat, mend_postcodes
from billy_pipelines.schemas.contact_undo import CONTACTS_UNDO
from billy_pipelines.schemas.payment_terms import check_contact_terms
from billy_pipelines.schemas.profiles import PROFILES
from billy_pipelines.schemas.references import contact_in_use, contact_usage_references
from billy_pipelines.schemas.resource import Change, Resource
from billy_pipelines.schemas.row_schema import RowSchema

CUSTOMERS_SCHEMA = RowSchema(
    name="customers",
    singular="customer",
    columns=CONTACT_COLUMNS,
    rules=(check_vat, mend_postcodes, check_contact_terms),
    unique=CONTACT_KEYS,
    profiles=PROFILES["customers"],
    ignored=NEVER_USED,
)

CUSTOMERS = Resource[Contact](
    schema=CUSTOMERS_SCHEMA,
    endpoint="contacts",
    endpoint_singular="contact",
    family="contacts",
    operations=("import", "update", "delete"),
    match_keys=meaning.MATCH_KEYS,
    read_all=requests.read_all_contacts,
    read_one=requests.read_one_contact,
    is_archived=lambda record: bool(record.isArchived),
    contradictions=meaning.contradictions,
    differences=meaning.differences,
    is_complete=meaning.is_complete,
    lacks_role=meaning.lacks_customer_role,
    role_change=Change(meaning.CUSTOMER_FLAG, False, True),
    update_obstacle=meaning.update_obstacle,
    create_body=meaning.create_body,
    as_record=meaning.row_as_contact,
    created_record=requests.created_contact,
    writable=meaning.WRITABLE,
    by_hand=meaning.BY_HAND,
    known_by=meaning.KNOWN_BY,
    write_update=requests.write_contact_update,
    load_references=contact_usage_references,
    in_use=contact_in_use,
    label=lambda row: str(row.get("name") or row.get("id") or ""),
    export=CUSTOMERS_EXPORT,
    undo=CONTACTS_UNDO,
)
