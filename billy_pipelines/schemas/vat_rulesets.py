"""Which of a company's VAT rulesets `vat25`, `vat0` and `abroad` are, and what VAT a Danish customer pays (rule B13).

Ids differ per company and names follow the language (observed), so neither is ever assumed: the organization's mapping
decides, and without one `vat25` alone may be found, by its rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.models import SalesTaxRule, SalesTaxRuleset, TaxRate
from billy_pipelines.schemas.cleaning import comparable
from billy_pipelines.schemas.codes import Problem, sentence
from billy_pipelines.schemas.references import embedded, list_if_offered, unavailable

STANDARD = "vat25"
STANDARD_SHARE = Decimal("0.25")
HOME = "DK"
INCLUDE_RULES = "salesTaxRuleset.rules:embed"


@dataclass(frozen=True)
class VatRulesets:
    """A company's rulesets and rates, its preset, and its mapping; `rulesets` None where they were refused."""

    rulesets: Mapping[str, SalesTaxRuleset] | None = None
    shares: Mapping[str, Decimal] = field(default_factory=dict)
    """Id of a tax rate -> 0.25 for 25 %."""
    default_id: str | None = None
    """The company's own preset for what it sells."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """`vat25`, `vat0`, `abroad` -> ruleset by id, name or abbreviation."""

    def share(self, ruleset_id: str | None) -> Decimal | None:
        """What a customer in Denmark pays under a ruleset, 0.25 for 25 %; None where that cannot be told.

        Its rules for Denmark decide if they agree, else, without any, its fallback rate (documented).
        """
        ruleset = (self.rulesets or {}).get(ruleset_id or "")
        if ruleset is None or ruleset.rules is None:
            return None
        ids = {rule.taxRateId for rule in ruleset.rules if rule.countryId == HOME} or {ruleset.fallbackTaxRateId}
        found = {self.shares.get(rate_id or "") for rate_id in ids}
        return found.pop() if len(found) == 1 else None

    @cached_property
    def known_shares(self) -> dict[str, Decimal]:
        """Every ruleset whose VAT for a customer in Denmark is known."""
        shares = {ruleset_id: self.share(ruleset_id) for ruleset_id in self.rulesets or {}}
        return {ruleset_id: share for ruleset_id, share in shares.items() if share is not None}

    def find(self, choice: str, field: str, language: str) -> str | Problem:
        """The id of the ruleset a row's word means, or why that is not known."""
        if self.rulesets is None:
            return unavailable("salesTaxRulesets", field, choice, language)
        if choice in self.mapping:
            return self._mapped(choice, field, language)
        fitting = self._standard() if choice == STANDARD else []
        if len(fitting) == 1:
            return fitting[0].id
        if any(ruleset.id == self.default_id for ruleset in fitting):
            return self.default_id or ""
        return self._unclear("vat_unmapped", choice, fitting or self.rulesets.values(), field, language)

    def of_new(self, field: str, language: str) -> str | Problem | None:
        """The ruleset of a new product that names none: `vat25` (rule B1).

        None: the company has no such ruleset that we could see (it is not registered for VAT, or the list is refused),
        and what Billy gives a product without one is left to it: the company's preset (unverified).
        """
        if self.rulesets is None or (STANDARD not in self.mapping and not self._standard()):
            return None
        return self.find(STANDARD, field, language)

    def _standard(self) -> list[SalesTaxRuleset]:
        return [(self.rulesets or {})[each] for each, share in self.known_shares.items() if share == STANDARD_SHARE]

    def _mapped(self, choice: str, field: str, language: str) -> str | Problem:
        rulesets, wanted = self.rulesets or {}, self.mapping[choice]
        if wanted in rulesets:
            return wanted
        named = [
            r.id for r in rulesets.values() if comparable(wanted) in (comparable(r.name), comparable(r.abbreviation))
        ]
        if comparable(wanted) and len(named) == 1:
            return named[0]
        return self._unclear("vat_mapping_wrong", choice, rulesets.values(), field, language)

    def _unclear(
        self, code: str, choice: str, candidates: Iterable[SalesTaxRuleset], field: str, language: str
    ) -> Problem:
        names = ", ".join(f"{ruleset.name or ''} ({ruleset.id})".strip() for ruleset in candidates) or "–"
        mapped = self.mapping.get(choice, "")
        text = sentence(code, language, value=choice, candidates=names, mapped=mapped)
        return Problem(code, field, choice, text)


async def read_vat_rulesets(client: BillyClient, mapping: Mapping[str, str], default_id: str | None) -> VatRulesets:
    """Rulesets with their rules, and the rates; what Billy refuses of them stays unknown."""
    listed = await list_if_offered(client, "salesTaxRulesets", {"include": INCLUDE_RULES})
    if listed is None:
        return VatRulesets(default_id=default_id, mapping=mapping)
    records, roots = listed
    rules = embedded(records, roots, relation="rules", plural="salesTaxRules", parent="rulesetId")
    if len(rules) < len(records) and (beside := await list_if_offered(client, "salesTaxRules")):
        rules = {each: [rule for rule in beside[0].values() if rule.get("rulesetId") == each] for each in records}
    rates = await list_if_offered(client, "taxRates")
    return VatRulesets(
        {each: _ruleset(raw, rules.get(each)) for each, raw in records.items()},
        _shares(TaxRate.model_validate(raw) for raw in rates[0].values()) if rates else {},
        default_id,
        mapping,
    )


def _ruleset(raw: Mapping[str, object], rules: list[dict[str, object]] | None) -> SalesTaxRuleset:
    ruleset = SalesTaxRuleset.model_validate({key: value for key, value in raw.items() if key != "rules"})
    models = None if rules is None else [SalesTaxRule.model_validate(rule) for rule in rules]
    return ruleset.model_copy(update={"rules": models})


def _shares(rates: Iterable[TaxRate]) -> dict[str, Decimal]:
    """That 0.25 means 25 % is unverified here, so 25 means it too; 1 could be either, and stays unknown."""
    numbers = {rate.id: Decimal(str(rate.rate)) for rate in rates if rate.rate is not None}
    return {each: number if number < 1 else number / 100 for each, number in numbers.items() if number != 1}
