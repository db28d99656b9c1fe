"""Every code a row can get, with its sentence: what happened and what to do. Codes are stable; texts may improve.

Sentences are filled with the row's own details. A code that is a warning never stops a row.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

from billy_pipelines.schemas.danish import DANISH

HIDDEN = "•••"
"""What stands where a value must not be repeated (rule B23)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing about one row. `value` is what stood in the cell, for the row's owner only.

    `column` is named as in the file where validation found the problem; the plan knows fields only.
    """

    code: str
    column: str = ""
    value: str = ""
    message: str = ""
    warning: bool = False
    field: str = ""


REJECTIONS: dict[str, str] = {
    "required": "{column} is missing. Fill it in.",
    "needs_one_of": "the row names none of {columns}. Fill in one of them.",
    "number_form": "{value} is no number. Write it as 1250,50 or 1250.50.",
    "ambiguous_number": "{column} can be read with a decimal comma or a decimal point, with different results ({value} "
    "is {comma} or {point}). Say which with the option decimal: comma or decimal: point.",
    "not_positive": "{value} is not above 0.",
    "not_whole": "{value} is no whole number.",
    "date_form": "{value} is no date. Write it as 2026-04-01 or 01-04-2026.",
    "ambiguous_date": "{column} can be read day first or month first ({value} is {day_first} or {month_first}). "
    "Say which with the option date_order: day_first or date_order: month_first.",
    "boolean_form": "{value} is neither yes nor no. Write ja or nej, true or false, 1 or 0.",
    "choice_unknown": "{value} is not one of {choices}.",
    "unit_unexpected": "{value} has a unit that does not belong in {column}. Write the number alone, or put it in the "
    "column it belongs in.",
    "currency_differs": "{value} is not in {currency}, as which {column} would be read. Put the currency in the column "
    "currency, or write the amount in {currency}.",
    "currency_unknown": "{value} is no currency. Use a three-letter code such as DKK or EUR.",
    "list_form": "{column} must be a list of objects such as {example}.",
    "hidden_value": "{column} still has the sign that stands for what was taken out. Type the value itself.",
    "excel_error": "{value} is an error of the spreadsheet's. Mend the formula, or write the value itself.",
    "digits_lost": "{value} is a long number of which the spreadsheet kept the first digits only. Format the column as "
    "text there and type the number again.",
    "mojibake": "{value} was saved in the wrong encoding before it came here. Export the file anew, or use the option "
    "repair_text: true, which makes it {repaired}.",
    "text_damaged": "{value} holds signs that were lost when the file was saved. Export it anew, as UTF-8.",
    "cell_too_long": "the cell has {length} characters; at most {limit} can be sent.",
    "too_many_cells": "the line has {cells} cells, the header has {columns}. "
    "Look for a separator inside a value and put the value in quotes.",
    "email_form": "{value} is not an e-mail address. Write it as name@company.dk.",
    "country_unknown": "{value} is no country we know. Use a two-letter code such as DK, or the country's name.",
    "vat_form": "{value} has not the form of a Danish CVR number (eight digits) or a foreign VAT number.",
    "possible_cpr": "the cell looks like a CPR number. CPR numbers must not be sent to Billy; remove it.",
    "ean_form": "{value} is no EAN number: 13 digits, the last one a check digit.",
    "clear_not_allowed": "{column} cannot be cleared. Remove the mark, or give a value.",
    "account_form": "{value} is no account number. Write its digits only, such as 1110.",
    "unknown_terms": "{value} are no payment terms that are known here. Write Netto 14 dage, Løbende måned + 15 dage, "
    "Kontant, or Net 14 days.",
    "several_primary_persons": "{column} makes more than one person the primary one. Mark one as isPrimary.",
    "two_prices": "{column} has two prices in {currency}. Keep one.",
    "price_basis_unknown": "it is not said whether {column} includes VAT. Say it with the option "
    "prices_include_vat: true or prices_include_vat: false.",
    "discount_form": "{value} is no discount. Write a percentage from 0 to 100, or an amount of 0 or more.",
    "discount_unclear": "{column} does not say whether {value} is a percentage or an amount. Name the column Rabat % or "
    "Rabatbeløb (discountPercent or discountAmount).",
    "two_discounts": "the line has a discount of {percent} % and another of {amount}. Give one of them.",
    "not_a_credit_note": "the row names an invoice it credits ({value}), but its type is not creditNote. Set the type, "
    "or remove the number.",
    "negative_total": "the invoice comes to {total}. Money back is a credit note: type creditNote, amounts above 0, and "
    "the number of the invoice it credits.",
    "total_differs": "the file says {stated}, the lines come to {computed}. Look for a line that is missing, a discount, "
    "or prices that include VAT.",
    "amount_not_taken": "{column} is {value}, and that amount would not come with the invoice. Enter the invoice in Billy "
    "by hand, or export the orders with their total.",
    "mixed_currencies": "{value} is another currency than on line {line}, and an invoice has one. Make two invoices.",
    "differs_within_invoice": "{value} differs from line {line} of the same invoice, and {column} holds for all of it. "
    "Write the same, or leave it blank here.",
    "invoice_rejected": "line {line} of the same invoice is wrong, and an invoice is sent whole or not at all. Mend that "
    "line.",
    "duplicate_in_file": "the row means the same record as line {line}. Keep one of them.",
    "possible_duplicate": "Billy has a {kind} of the same name whose details differ ({fields}): {ids}. "
    "Give a number both have ({keys}), or use on_existing: create if it is another one.",
    "ambiguous_match": "more than one record in Billy fits: {ids}. Give the id of the one you mean.",
    "not_found": "there is no {kind} with {key} {value} in these books.",
    "no_key": "the row names no record. Fill in one of {keys}.",
    "not_this_kind": "{ids} is no {kind} in Billy, so it is not deleted as one. Use the resource contacts if it must go.",
    "in_use": "{kind} {ids} is in use and cannot be deleted. Archive it (archive_if_used: true).",
    "contact_unknown": "there is no contact with {key} {value} in these books. Nearest: {nearest}.",
    "contact_by_name_only": "{value} is only a name, and a name alone finds no contact. Give contactNo, CVR, EAN or id, or "
    "use contact_by_name: true. Nearest: {nearest}.",
    "contact_without_name": "there is no contact with {key} {value} in these books, and without a name none can be made. "
    "Fill in contactName. Nearest: {nearest}.",
    "contact_ambiguous": "more than one contact fits {key} {value}: {ids}. Give the contactId of the one you mean.",
    "contact_archived": "contact {ids} ({key} {value}) is archived. Un-archive it in Billy, or name another.",
    "exists_by_name": "Billy has a {kind} called {value} already ({ids}), so none is made. Name that one by a number or its "
    "id, or give the new one another name.",
    "missing_unclear": "the rows that name the {kind} {value} say different things of it ({fields}), so none is made. Make "
    "them agree: lines {lines}.",
    "missing_not_planned": "the {kind} {value} is not made: {message}",
    "person_unknown": "the contact has no person called {value}. Add the person in Billy, or leave attention out.",
    "product_unknown": "line {line}: there is no product with {key} {value} in these books. Nearest: {nearest}.",
    "product_without_name": "line {line}: there is no product with {key} {value} in these books, and without a name none can "
    "be made. Fill in productName. Nearest: {nearest}.",
    "product_ambiguous": "line {line}: more than one product fits {key} {value}: {ids}. Give the productId of the one you "
    "mean.",
    "product_archived": "line {line}: product {ids} ({key} {value}) is archived. Un-archive it in Billy, or name another.",
    "product_missing": "line {line} names no product, and Billy needs one on every line. Fill in productNo or productName.",
    "price_missing": "line {line} has no price, and product {value} has none in {currency}. Write the price.",
    "price_missing_incl": "line {line} has no price, and a product's price in Billy is without VAT while this invoice's "
    "prices include it. Write the price.",
    "number_taken": "Billy has another invoice of the number {value}: {ids}. Give a free number, or leave it blank.",
    "number_gap": "{value} is not the next invoice number ({expected}), so a gap would arise. Leave it blank, or use "
    "own_numbers: true if that is meant.",
    "date_locked": "{value} lies in a period that is closed (until {until}).",
    "date_settled": "{value} lies in a VAT period that is settled ({start} to {end}).",
    "date_before_books": "{value} is before {start}, when these books begin, and the opening balances hold it already; "
    "it cannot be approved. Keep it a draft (approve: no), or leave it out.",
    "date_far_ahead": "{value} is more than 31 days ahead; {until} is the last possible date.",
    "currency_not_in_billy": "Billy does not have the currency {value}.",
    "rate_missing": "an invoice in {currency} of {date}, not today, needs exchangeRate: kroner for one unit.",
    "rate_unlikely": "{value} is more than 20 % off Billy's rate for {currency} ({usual}). Give the price of one unit, not "
    "of 100.",
    "credited_unknown": "there is no invoice of the number {value} in these books to credit.",
    "credited_other_contact": "invoice {value} belongs to another contact ({ids}) than the credit note.",
    "invoice_approved": "invoice {ids} is approved, and what is approved stays as it is. Credit it with a credit note.",
    "invoice_sent": "draft {ids} was sent to the customer, so it is not deleted here. Delete it in Billy if it must go.",
    "invoice_fixed": "{fields} of draft {ids} cannot be changed in Billy any more. Delete the draft and import the invoice "
    "again.",
    "other_organization": "the row was exported from the books of another company ({value}; these are {own}). Nothing of "
    "it is used. Export from these books, or take the columns billyOrganization and billySnapshot out if it is meant.",
    "conflict": "{fields} was changed in the file and, since the export, in Billy too (Billy has {present}, the file "
    "{value}). Decide which is right, and export anew or change it in Billy.",
    "already_exists": "{kind} {ids} exists already, and on_existing is fail.",
    "account_unknown": "these books have no account {value}. Nearest: {nearest}.",
    "account_not_revenue": "account {value} is no revenue account, and only those take sales. Nearest: {nearest}.",
    "account_archived": "account {value} is archived. Un-archive it in Billy, or use another. Nearest: {nearest}.",
    "vat_unmapped": "it is not said which of the company's VAT rulesets {value} is. Say it in organizations.yaml, under "
    "vat, by name or id. There are: {candidates}.",
    "vat_mapping_wrong": "organizations.yaml says that {value} is {mapped}, which is the name or id of no VAT ruleset, "
    "or of several. There are: {candidates}.",
    "price_digits": "{value} has more than {most} digits, and no price with so many arrives as it was sent.",
    "vat_rate_unknown": "the price of {value} includes VAT, but how much is not known, since Billy does not tell the rate "
    "of the product's VAT ruleset. Give the price without VAT (taxMode: excl), or name the VAT (salesTaxRuleset).",
    "reference_unavailable": "Billy does not let this token read {what}, so {value} cannot be looked up. Leave it out, or "
    "use a token that may.",
    "primary_person_unclear": "contact {ids} has {count} primary contact persons, so it is not clear whose e-mail to "
    "change. Mark one person as primary in Billy.",
}

WARNINGS: dict[str, str] = {
    "zeros_lost": "{value} is sent as {mended}: a spreadsheet took the zero in front.",
    "text_repaired": "{value} is sent as {repaired} (repair_text).",
    "vat_check_digit": "{value} fails the check digits of a CVR number; it is sent as it is, but finds no record.",
    "due_date_differs": "the payment terms make the invoice due on {computed}, the due date is {due}; the due date "
    "counts.",
    "attention_unknown": "the contact has no person called {value}; attention is left out.",
    "approve_ignored": "{value} approves nothing by itself: the invoice becomes a draft. Use the option approve: true.",
    "contact_no_customer": "contact {ids} is no customer in Billy yet.",
    "vat_placeholder": "{value} is a placeholder, not a CVR number; it is never used to find a record.",
    "vat_left_to_billy": "no VAT ruleset of 25 % was found in these books, so the new product gets what the company "
    "has set for new products in Billy.",
    "price_converted": "{value} with VAT is sent as {net} without ({percent} %).",
    "nearest_in_books": "the nearest in the books is {nearest}.",
    "snapshot_gone": "the snapshot of {value} that the row was exported from is gone, so every difference from Billy "
    "counts as a change. Look at the plan before it is carried out.",
    "same_name_in_file": "line {line} has the same name but other details.",
}

SKIPS: dict[str, str] = {
    "excluded_by_profile": 'the row has "{value}" in {column}, and such rows are not taken over by themselves. '
    "Enter it in Billy by hand if it belongs there.",
    "exists": "exists already in Billy{differences}.",
    "archived": "exists in Billy but is archived; un-archive it there if it should be used again.",
    "supplier_only": "exists in Billy as a supplier only{differences}. "
    "Use on_existing: update to make it a customer too.",
}

FAILURES: dict[str, str] = {
    "billy_refused": "{message}",
    "draft_total_differs": "Billy made the draft {ids}, and it comes to {computed} where {stated} was expected. The draft "
    "stays in Billy: look at its VAT, its prices and discounts, and correct or delete it there.",
    "changed_since_plan": "{fields} changed in Billy after the plan was made. Run the job again to plan anew.",
    "partly_changed": "a part of the change is in Billy, the rest is not ({message}). Look at the record there.",
    "not_approved": "draft {ids} is in Billy and not approved, because {reason}. `billy retry {job}` goes on with the "
    "approvals.",
    "approval_refused": "draft {ids} was not approved, and stays a draft ({message}). Put that right in Billy; `billy "
    "retry {job}` goes on with the approvals.",
    "approval_unclear": "Billy gave no clear answer to the approval of {ids} ({message}), and it is still a draft. Look "
    "in Billy whether it has a number and stands in the accounts; if not, `billy retry {job}` approves it and goes on.",
    "draft_changed": "{fields} of draft {ids} changed in Billy after it was made, so it is not approved here. Look at it "
    "there, approve or delete it by hand; `billy retry {job}` goes on with the others.",
    "draft_gone": "draft {ids} was deleted in Billy before it was approved. `billy retry {job}` goes on with the others.",
    "missing_not_made": "the {kind} {value} it needs could not be made: {message}",
    "not_deleted": "Billy answered success, but the record is still there. Delete it there by hand.",
    "gone_since_plan": "the record was deleted in Billy after the plan was made.",
    "gone_in_doubt": "Billy gave no clear answer, and the record was deleted there since. Whether the change arrived before "
    "that cannot be told any more. Look in Billy for {key}: if it is there again, hand the row in once more.",
    "overwritten_in_doubt": "Billy gave no clear answer, and {fields} of {key} changed there since. Whether the change "
    "arrived before that cannot be told any more, so nothing was written over. Look at the record in Billy: if it should "
    "still be changed, hand the row in once more.",
    "not_settled": "Billy gave no clear answer ({message}), so it may be in the books. Do nothing by hand: when "
    "the job goes on (`billy retry`, or the same file once more) it looks there first, and never sends twice.",
    "outcome_unknown": "Billy gave no clear answer ({message}). Look in Billy for {key} before doing anything: "
    "it may be there. It was not sent again.",
    "no_clear_answer": "Billy gave no clear answer {number} times, and what was wanted is not in the books. Look there, or "
    "try `billy retry`.",
}

UNDO: dict[str, str] = {
    "edited_since": "{fields} of {ids} changed in Billy since the job, so the record is left as it is.",
    "deleted_since": "the record was deleted in Billy since the job.",
    "in_use_since": "{kind} {ids} is used by something in Billy by now, so it stays. Archive it there if nobody wants it.",
    "billy_keeps": "Billy refuses to delete it ({message}), most likely because something refers to it. Archive it there "
    "if nobody wants it.",
    "invoice_booked": "invoice {ids} is approved, so it stays in the books. credit_notes.csv holds the credit note for it, "
    "ready to be imported.",
    "invoice_numbered": "draft {ids} has been given a number since, so it stays. credit_notes.csv holds a credit note for "
    "it, ready to be imported once it is approved.",
    "there_again": "there is such a record in Billy again ({ids}), so none is made.",
    "undone_elsewhere": "job {job} has taken it back already, so nothing is done a second time.",
    "undo_unsettled": "a request of job {job} about this record got no clear answer. `billy retry {job}` finds out what "
    "came of it; then ask again.",
    "image_missing": "what the record was is not on record, so it cannot be taken back.",
    "job_unsettled": "the job itself got no clear answer for this row and could not find out what became of it. Look in "
    "Billy.",
    "already_gone": "it was gone from Billy already.",
    "reversed_made_again": "its deletion had been taken back, so it was in Billy with the new id {new} (it was {old}). That "
    "record was taken back.",
    "as_before": "it was already as it was before the job.",
    "half_restored": "a part of the record is as it was before the job again, the rest is not ({message}). Look at the "
    "record in Billy.",
    "half_edited": "a part of {ids} is as it was before the job again, but {fields} changed in Billy meanwhile and is left "
    "as it is. Look at the record there.",
    "made_again": "made again, with the new id {new} (it was {old}).",
    "made_again_in_part": "made again, with the new id {new} (it was {old}); what hung on it ({fields}) was not on record.",
    "kept_by_undo": "the undo of job {job} left this row's record in Billy ({ids}), so it is not made a second time. "
    "Use on_existing: create if it should be.",
    "may_be_in_billy": "job {job}, since taken back, got no clear answer when it made line {line} ({value}), and nobody "
    "can tell whether it is in Billy; so it is not sent again. Look for it there. If it is missing, drop rejected.csv, "
    "which holds the row.",
}
"""Why undo left a record as it is, and what it has to say of one it took back."""


WAITING: dict[str, str] = {
    "apply_approve": "{number} invoices are to be approved, which books VAT and cannot be taken back. Look at the plan; "
    "`billy apply {job}` carries it out.",
    "apply_delete": "{number} records are to be deleted or archived. Look at the plan; `billy apply {job}` carries it "
    "out.",
    "confirm_count": "{number} records are to be deleted or archived, which is a large part. Look at the plan; "
    "`billy apply {job} --confirm-count {number}` carries it out.",
}
"""Why a plan waits for a person."""

JOBS: dict[str, str] = {
    "reading_settled": "Job {job} has carried out its file, or a part of it, as it was read before, so {options} cannot "
    "be changed in it any more. Nothing was sent now. Leave that out, or take the job back (`billy undo {job}`) and then "
    "hand in the same file with the new options. Where there is nothing to take back, add --again (in an options file: "
    "again: true).",
}
"""Why a job cannot do what is asked of it."""

FILE_ERRORS: dict[str, str] = {
    "file_too_large": "The file has {size:,} bytes; at most {limit:,} are read. Split it, or raise BILLY_MAX_FILE_MB.",
    "unpacks_too_large": "Unpacked, the file would have more than {limit:,} bytes, so it is not unpacked. Split it, or "
    "raise BILLY_MAX_FILE_MB.",
    "too_many_rows": "The file has more than {limit:,} rows. Split it, or raise BILLY_MAX_ROWS.",
    "too_many_columns": "The file has {columns:,} columns; at most {limit:,} are read. Leave out those nobody needs.",
    "cell_too_large": "Line {line} holds a value of more than {limit:,} characters. A quotation mark is probably not "
    'closed; inside a value it must be doubled ("").',
    "empty_file": "The file is empty. Export it again; a header and at least one row are needed.",
    "no_rows": "The file has a header but no rows under it.",
    "no_header": "The first line holds values, not column names. Put a header line above them.",
    "nul_byte": "Line {line} holds a NUL byte, so this is no text file. Export it again.",
    "broken_quotes": "From line {line} on the file cannot be read ({reason}). A quotation mark is probably not closed; "
    'inside a value it must be doubled ("").',
    "duplicate_column": "The header names the column {name} twice. Rename or remove one.",
    "two_columns_one_field": "The columns {first} and {second} both mean {field}. Remove one, or say with the option "
    "mapping what they are.",
    "missing_column": "The file has no column {missing}. Its columns are: {names}. Known names: {known}. A column of "
    "another name can be used with the option mapping, a constant with the option set.",
    "encoding_wrong": "The file is not {encoding}: line {line} has a byte that does not belong. Leave the option "
    "encoding out, or name the right one.",
    "bad_delimiter": "{delimiter} cannot separate cells. Give the option delimiter one sign (; , |), or tab.",
    "encoding_unknown": "{encoding} is no encoding that is known here. Use utf-8, utf-16, cp1252, cp865 or mac_roman.",
    "type_mismatch": "The file is named {extension} but holds {content}. Save it again as what it is named, or rename it.",
    "unknown_type": "{extension} files are not read. Use CSV, JSON or an Excel or LibreOffice sheet.",
    "broken_file": "The file is damaged and cannot be opened as {kind} ({reason}). Export it again.",
    "encrypted_workbook": "The workbook is protected with a password. Save it without one and drop it again.",
    "html_workbook": "The file is named {extension} but is a web page (HTML) that Excel opens all the same. Open it in "
    "Excel, save it as .xlsx, and drop that.",
    "formula_without_result": "Cell {cell} of the sheet {sheet} holds a formula whose result is not in the file. Open "
    "the file in Excel or LibreOffice, save it there, and drop it again.",
    "table_too_large": "The file unfolds to more cells than fit in memory. Delete what stands far below or far to the "
    "right of the data, leave out columns nobody needs, or save it as CSV.",
    "several_sheets": "More than one sheet has something in it: {names}. Say which one with the option sheet, or delete "
    "the others.",
    "no_such_sheet": "There is no sheet {name}. The sheets are: {names}.",
    "broken_json": "Line {line} is not JSON ({reason}).",
    "json_shape": 'The JSON holds no list of objects: write [{{…}}, {{…}}] or {{"{resource}": [{{…}}]}}.',
    "duplicate_key": "Line {line} has an object that says {key} twice.",
    "bad_mapping": "The option mapping names {name}, which is no {what}. Known: {known}.",
    "bad_set": "The option set gives {field} a value, but {reason}.",
    "unknown_profile": "There is no profile {name} for {resource}. Known: {known}.",
    "mappings_damaged": "{reason} Mend or remove that file.",
    "bad_header_line": "Line {line} has no column names (option header_line).",
}
"""Why a file as a whole cannot be used."""


COLUMN_NOTES: dict[str, str] = {
    "column_switched_off": "the option mapping says that it is not used",
    "column_remembered_off": "it was said before, for files with these columns, that it is not used",
    "column_of_profile": "not used in {title}",
    "column_marks_rows": "tells which rows of {title} are left out",
    "column_taken": "{field} is taken from the column {column}",
}
"""Why a column is left aside; said behind its name."""


REASONS: dict[str, str] = {
    "what_field": "field",
    "what_column": "column",
    "set_unknown_field": "there is no such field. Known: {known}",
    "set_has_column": "the file has the column {column} for it",
    "more_names": "{number:,} more",
    "approval_of_line": "line {line} was not approved ({code})",
    "failed_line": "line {line} failed ({code}) and continue_on_error is off",
    "another_failed": "another row failed before its turn, and continue_on_error is off",
    "job_stopped": "the job was stopped",
    "similar_since": "a similar record has appeared since",
    "job_failed": "the job could not go on",
}
"""Parts of the sentences above."""


class _Danish(string.Formatter):
    """Counts are grouped with a point in Danish: 1.000.000."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return text.replace(",", ".") if "," in format_spec else text


def sentence(code: str, language: str = "en", /, **details: object) -> str:
    """The text for a code, with the details put in.

    Raises:
        KeyError: no such code.
    """
    if language == "da" and code in DANISH:
        return _Danish().vformat(DANISH[code], (), details)
    for catalogue in (REJECTIONS, WARNINGS, SKIPS, FAILURES, UNDO, WAITING, JOBS, FILE_ERRORS, COLUMN_NOTES, REASONS):
        if code in catalogue:
            return catalogue[code].format(**details)
    raise KeyError(code)


def masked(value: str) -> str:
    """A value for logs and metadata: enough to recognise it by its owner, not enough to use (rule B23)."""
    text = value.strip()
    return (
        ""
        if not text
        else f"{text[0]}{'•' * min(len(text) - 1, 7)}"
        if len(text) < 12
        else f"{text[:2]}•••••{text[-1]}"
    )
