"""The sentences of `codes.py` in Danish, by code; the placeholders are the same."""

from __future__ import annotations

DANISH: dict[str, str] = {
    # rows that are rejected
    "required": "{column} mangler. Udfyld feltet.",
    "needs_one_of": "rækken nævner ingen af {columns}. Udfyld en af dem.",
    "number_form": "{value} er ikke et tal. Skriv det som 1250,50 eller 1250.50.",
    "ambiguous_number": "{column} kan læses med decimalkomma eller decimalpunktum, med forskelligt resultat ({value} er "
    "{comma} eller {point}). Sig hvilket med indstillingen decimal: comma eller decimal: point.",
    "not_positive": "{value} er ikke over 0.",
    "not_whole": "{value} er ikke et helt tal.",
    "date_form": "{value} er ikke en dato. Skriv den som 2026-04-01 eller 01-04-2026.",
    "ambiguous_date": "{column} kan læses med dagen først eller måneden først ({value} er {day_first} eller "
    "{month_first}). Sig hvilket med indstillingen date_order: day_first eller date_order: month_first.",
    "boolean_form": "{value} er hverken ja eller nej. Skriv ja eller nej, true eller false, 1 eller 0.",
    "choice_unknown": "{value} er ikke en af {choices}.",
    "unit_unexpected": "{value} har en enhed, der ikke hører til i {column}. Skriv tallet alene, eller sæt det i den "
    "kolonne, det hører til i.",
    "currency_differs": "{value} er ikke i {currency}, som {column} ville blive læst som. Skriv valutaen i kolonnen "
    "Valuta, eller skriv beløbet i {currency}.",
    "currency_unknown": "{value} er ikke en valuta. Brug en kode på tre bogstaver, f.eks. DKK eller EUR.",
    "list_form": "{column} skal være en liste af objekter, f.eks. {example}.",
    "hidden_value": "{column} har endnu det tegn, der står for det, som blev taget ud. Skriv selve værdien.",
    "excel_error": "{value} er en fejl fra regnearket. Ret formlen, eller skriv selve værdien.",
    "digits_lost": "{value} er et langt tal, som regnearket kun har beholdt de første cifre af. Formatér kolonnen som "
    "tekst i regnearket, og skriv tallet igen.",
    "mojibake": "{value} er gemt med en forkert tegnkodning, før filen kom hertil. Eksportér filen igen, eller brug "
    "indstillingen repair_text: true, som gør det til {repaired}.",
    "text_damaged": "{value} har tegn, der gik tabt, da filen blev gemt. Eksportér den igen som UTF-8.",
    "cell_too_long": "cellen har {length} tegn; der kan højst sendes {limit}.",
    "too_many_cells": "linjen har {cells} celler, overskriften har {columns}. "
    "Se efter et skilletegn inde i en værdi, og sæt værdien i anførselstegn.",
    "email_form": "{value} er ikke en e-mailadresse. Skriv den som navn@firma.dk.",
    "country_unknown": "{value} er ikke et land, vi kender. Brug en kode på to bogstaver, f.eks. DK, eller landets navn.",
    "vat_form": "{value} har hverken form som et dansk CVR-nummer (otte cifre) eller et udenlandsk momsnummer.",
    "possible_cpr": "cellen ligner et CPR-nummer. CPR-numre må ikke sendes til Billy; fjern det.",
    "ean_form": "{value} er ikke et EAN-nummer: 13 cifre, det sidste et kontrolciffer.",
    "clear_not_allowed": "{column} kan ikke ryddes. Fjern mærket, eller angiv en værdi.",
    "duplicate_in_file": "rækken betyder samme post som linje {line}. Behold en af dem.",
    "possible_duplicate": "Billy har en post ({kind}) med samme navn, hvor andet er forskelligt ({fields}): {ids}. "
    "Angiv et nummer, som begge har ({keys}), eller brug on_existing: create, hvis det er en anden.",
    "ambiguous_match": "mere end én post i Billy passer: {ids}. Angiv id'et på den, der menes.",
    "not_found": "der er ingen post ({kind}) med {key} {value} i dette regnskab.",
    "no_key": "rækken nævner ingen post. Udfyld en af {keys}.",
    "not_this_kind": "{ids} er ikke en {kind} i Billy og slettes ikke som en. Brug ressourcen contacts, hvis den skal væk.",
    "in_use": "posten ({kind}) {ids} er i brug og kan ikke slettes. Arkivér den (archive_if_used: true).",
    "other_organization": "rækken er eksporteret fra en anden virksomheds regnskab ({value}; dette er {own}). Intet af "
    "den bruges. Eksportér fra dette regnskab, eller fjern kolonnerne billyOrganization og billySnapshot, hvis det er "
    "meningen.",
    "conflict": "{fields} er ændret i filen og siden eksporten også i Billy (Billy har {present}, filen {value}). Afgør, "
    "hvad der er rigtigt, og eksportér igen, eller ret det i Billy.",
    "already_exists": "posten ({kind}) {ids} findes allerede, og on_existing er fail.",
    "primary_person_unclear": "kontakten {ids} har {count} primære kontaktpersoner, så det er uklart, hvis e-mail der "
    "skal ændres. Markér én person som primær i Billy.",
    "account_form": "{value} er ikke et kontonummer. Skriv kun cifrene, f.eks. 1110.",
    "unknown_terms": "{value} er ikke en betalingsbetingelse, der kendes her. Skriv Netto 14 dage, Løbende måned + 15 "
    "dage eller Kontant.",
    "several_primary_persons": "{column} gør mere end én person til den primære. Markér én med isPrimary.",
    "two_prices": "{column} har to priser i {currency}. Behold én.",
    "price_basis_unknown": "det er ikke sagt, om {column} er med moms. Sig det med indstillingen prices_include_vat: "
    "true eller prices_include_vat: false.",
    "discount_form": "{value} er ikke en rabat. Skriv en procent fra 0 til 100, eller et beløb på 0 eller mere.",
    "discount_unclear": "{column} siger ikke, om {value} er procent eller et beløb. Kald kolonnen Rabat % eller "
    "Rabatbeløb (discountPercent eller discountAmount).",
    "two_discounts": "linjen har en rabat på {percent} % og en anden på {amount}. Angiv én af dem.",
    "not_a_credit_note": "rækken nævner en faktura, den krediterer ({value}), men dens type er ikke creditNote. Angiv "
    "typen, eller fjern nummeret.",
    "negative_total": "fakturaen giver {total}. Penge tilbage er en kreditnota: type creditNote, beløb over 0, og "
    "nummeret på den faktura, den krediterer.",
    "total_differs": "filen siger {stated}, linjerne giver {computed}. Se efter en linje, der mangler, en rabat, eller "
    "priser med moms.",
    "amount_not_taken": "{column} er {value}, og det beløb ville ikke komme med på fakturaen. Indtast fakturaen i Billy i "
    "hånden, eller eksportér ordrerne med deres total.",
    "mixed_currencies": "{value} er en anden valuta end på linje {line}, og en faktura har én. Lav to fakturaer.",
    "differs_within_invoice": "{value} er forskellig fra linje {line} i samme faktura, og {column} gælder for hele "
    "fakturaen. Skriv det samme, eller lad feltet stå tomt her.",
    "invoice_rejected": "linje {line} i samme faktura er forkert, og en faktura sendes hel eller slet ikke. Ret den "
    "linje.",
    # what rows refer to
    "contact_unknown": "der er ingen kontakt med {key} {value} i dette regnskab. Nærmest: {nearest}.",
    "contact_by_name_only": "{value} er kun et navn, og et navn alene finder ingen kontakt. Angiv kundenr., CVR, EAN eller "
    "id, eller brug contact_by_name: true. Nærmest: {nearest}.",
    "contact_without_name": "der er ingen kontakt med {key} {value} i dette regnskab, og uden navn kan ingen oprettes. "
    "Udfyld Kundenavn. Nærmest: {nearest}.",
    "contact_ambiguous": "mere end én kontakt passer til {key} {value}: {ids}. Angiv contactId på den, der menes.",
    "contact_archived": "kontakten {ids} ({key} {value}) er arkiveret. Gør den aktiv i Billy, eller nævn en anden.",
    "exists_by_name": "Billy har allerede en post ({kind}) med navnet {value} ({ids}), så ingen oprettes. Angiv dens nummer "
    "eller id, eller giv den nye et andet navn.",
    "missing_unclear": "rækkerne, der nævner {value} ({kind}), siger noget forskelligt om den ({fields}), så ingen oprettes. "
    "Skriv det samme: linje {lines}.",
    "missing_not_planned": "{value} ({kind}) oprettes ikke: {message}",
    "person_unknown": "kontakten har ingen person, der hedder {value}. Opret personen i Billy, eller udelad att.",
    "product_unknown": "linje {line}: der er intet produkt med {key} {value} i dette regnskab. Nærmest: {nearest}.",
    "product_without_name": "linje {line}: der er intet produkt med {key} {value} i dette regnskab, og uden navn kan intet "
    "oprettes. Udfyld Varenavn. Nærmest: {nearest}.",
    "product_ambiguous": "linje {line}: mere end ét produkt passer til {key} {value}: {ids}. Angiv productId på det, der "
    "menes.",
    "product_archived": "linje {line}: produktet {ids} ({key} {value}) er arkiveret. Gør det aktivt i Billy, eller nævn et "
    "andet.",
    "product_missing": "linje {line} nævner intet produkt, og Billy skal have et på hver linje. Udfyld varenr. eller "
    "varenavn.",
    "price_missing": "linje {line} har ingen pris, og produktet {value} har ingen i {currency}. Skriv prisen.",
    "price_missing_incl": "linje {line} har ingen pris, og et produkts pris i Billy er uden moms, mens denne fakturas priser "
    "er med. Skriv prisen.",
    "number_taken": "Billy har en anden faktura med nummeret {value}: {ids}. Angiv et ledigt nummer, eller lad det stå tomt.",
    "number_gap": "{value} er ikke det næste fakturanummer ({expected}), så der ville opstå et hul. Lad det stå tomt, eller "
    "brug own_numbers: true, hvis det er meningen.",
    "date_locked": "{value} ligger i en periode, der er lukket (til og med {until}).",
    "date_settled": "{value} ligger i en momsperiode, der er afregnet ({start} til {end}).",
    "date_far_ahead": "{value} er mere end 31 dage fremme; {until} er den sidste mulige dato.",
    "currency_not_in_billy": "Billy har ikke valutaen {value}.",
    "rate_missing": "en faktura i {currency} fra {date}, som ikke er i dag, skal have en kurs (exchangeRate): kroner for én "
    "enhed.",
    "rate_unlikely": "{value} afviger mere end 20 % fra Billys kurs for {currency} ({usual}). Angiv prisen på én enhed, ikke "
    "på 100.",
    "credited_unknown": "der er ingen faktura med nummeret {value} i dette regnskab at kreditere.",
    "credited_other_contact": "fakturaen {value} hører til en anden kontakt ({ids}) end kreditnotaen.",
    "invoice_approved": "fakturaen {ids} er godkendt, og hvad der er godkendt, bliver, som det er. Krediter den med en "
    "kreditnota.",
    "invoice_sent": "kladden {ids} er sendt til kunden, så den slettes ikke her. Slet den i Billy, hvis den skal væk.",
    "invoice_fixed": "{fields} i kladden {ids} kan ikke længere ændres i Billy. Slet kladden, og importér fakturaen igen.",
    "account_unknown": "dette regnskab har ingen konto {value}. Nærmest: {nearest}.",
    "account_not_revenue": "konto {value} er ikke en omsætningskonto, og kun de tager imod salg. Nærmest: {nearest}.",
    "account_archived": "konto {value} er arkiveret. Gør den aktiv i Billy, eller brug en anden. Nærmest: {nearest}.",
    "vat_unmapped": "det er ikke sagt, hvilket af virksomhedens momsregelsæt {value} er. Sig det i organizations.yaml under "
    "vat, med navn eller id. Der er: {candidates}.",
    "vat_mapping_wrong": "organizations.yaml siger, at {value} er {mapped}, men det er navn eller id på intet momsregelsæt, "
    "eller på flere. Der er: {candidates}.",
    "price_digits": "{value} har mere end {most} cifre, og ingen pris med så mange når frem, som den blev sendt.",
    "vat_rate_unknown": "prisen på {value} er med moms, men hvor meget vides ikke, fordi Billy ikke oplyser satsen for "
    "produktets momsregelsæt. Angiv prisen uden moms (taxMode: excl), eller nævn momsen (salesTaxRuleset).",
    "reference_unavailable": "Billy lader ikke dette token læse {what}, så {value} kan ikke slås op. Udelad det, eller brug "
    "et token, der må.",
    "attention_unknown": "kontakten har ingen person, der hedder {value}; att. udelades.",
    "contact_no_customer": "kontakten {ids} er endnu ikke kunde i Billy.",
    "vat_left_to_billy": "der blev ikke fundet et momsregelsæt på 25 % i dette regnskab, så det nye produkt får det, "
    "virksomheden har valgt for nye produkter i Billy.",
    "price_converted": "{value} med moms sendes som {net} uden ({percent} %).",
    "date_before_books": "{value} ligger før {start}, hvor dette regnskab begynder, og åbningsbalancen har den allerede; "
    "den kan ikke godkendes. Lad den være kladde (approve: nej), eller udelad den.",
    "draft_total_differs": "Billy lavede kladden {ids}, og den giver {computed}, hvor {stated} var ventet. Kladden bliver i "
    "Billy: se på dens moms, priser og rabatter, og ret eller slet den dér.",
    # warnings
    "approve_ignored": "{value} godkender intet alene: fakturaen bliver en kladde. Brug indstillingen approve: true.",
    "due_date_differs": "betalingsbetingelsen giver forfald {computed}, forfaldsdatoen er {due}; forfaldsdatoen gælder.",
    "zeros_lost": "{value} sendes som {mended}: et regneark har taget nullet foran.",
    "text_repaired": "{value} sendes som {repaired} (repair_text).",
    "vat_check_digit": "{value} består ikke kontrollen af et CVR-nummers cifre; det sendes, som det er, men finder "
    "ingen post.",
    "vat_placeholder": "{value} er en pladsholder, ikke et CVR-nummer; det bruges aldrig til at finde en post.",
    "nearest_in_books": "det nærmeste i bøgerne er {nearest}.",
    "snapshot_gone": "det udtræk fra {value}, som rækken er eksporteret fra, findes ikke længere, så alle forskelle fra "
    "Billy tæller som ændringer. Se planen, før den udføres.",
    "same_name_in_file": "linje {line} har samme navn, men andre oplysninger.",
    # rows that are skipped
    "excluded_by_profile": 'rækken har "{value}" i {column}, og sådanne rækker overføres ikke af sig selv. '
    "Indtast den i Billy i hånden, hvis den hører til dér.",
    "exists": "findes allerede i Billy{differences}.",
    "archived": "findes i Billy, men er arkiveret; gør den aktiv dér, hvis den skal bruges igen.",
    "supplier_only": "findes kun som leverandør i Billy{differences}. "
    "Brug on_existing: update for også at gøre den til kunde.",
    # rows that failed
    "billy_refused": "{message}",
    "changed_since_plan": "{fields} blev ændret i Billy, efter at planen blev lagt. Kør jobbet igen for en ny plan.",
    "partly_changed": "en del af ændringen er i Billy, resten er ikke ({message}). Se på posten dér.",
    "not_approved": "kladden {ids} er i Billy og er ikke godkendt, fordi {reason}. `billy retry {job}` fortsætter med "
    "godkendelserne.",
    "approval_refused": "kladden {ids} blev ikke godkendt og forbliver kladde ({message}). Ret det i Billy; `billy retry "
    "{job}` fortsætter med godkendelserne.",
    "approval_unclear": "Billy gav intet klart svar på godkendelsen af {ids} ({message}), og den er stadig kladde. Se i "
    "Billy, om den har fået nummer og er bogført; hvis ikke, godkender `billy retry {job}` den og fortsætter.",
    "draft_changed": "{fields} på kladden {ids} blev ændret i Billy, efter at den blev lavet, så den godkendes ikke her. "
    "Se på den dér, og godkend eller slet den i hånden; `billy retry {job}` fortsætter med de andre.",
    "draft_gone": "kladden {ids} blev slettet i Billy, før den blev godkendt. `billy retry {job}` fortsætter med de andre.",
    "missing_not_made": "{value} ({kind}), som rækken skal bruge, kunne ikke oprettes: {message}",
    "not_deleted": "Billy svarede, at det lykkedes, men posten er der endnu. Slet den dér i hånden.",
    "gone_since_plan": "posten blev slettet i Billy, efter at planen blev lagt.",
    "gone_in_doubt": "Billy gav intet klart svar, og posten er slettet dér siden. Om ændringen nåede frem før det, kan ikke "
    "længere afgøres. Se i Billy efter {key}: er den der igen, så aflevér rækken en gang til.",
    "overwritten_in_doubt": "Billy gav intet klart svar, og {fields} på {key} er ændret dér siden. Om ændringen nåede frem "
    "før det, kan ikke længere afgøres, så intet er skrevet over. Se på posten i Billy: skal den stadig ændres, så "
    "aflevér rækken en gang til.",
    "not_settled": "Billy gav intet klart svar ({message}), så den kan være bogført. Gør intet i hånden: når jobbet "
    "fortsætter (`billy retry`, eller samme fil igen), ser det efter dér først og sender aldrig to gange.",
    "outcome_unknown": "Billy gav intet klart svar ({message}). Se i Billy efter {key}, før der gøres andet: "
    "den kan være der. Den blev ikke sendt igen.",
    "no_clear_answer": "Billy gav intet klart svar {number} gange, og det ønskede er ikke i bøgerne. Se efter dér, eller "
    "prøv `billy retry`.",
    # undo
    "edited_since": "{fields} på {ids} er ændret i Billy siden jobbet, så posten bliver, som den er.",
    "deleted_since": "posten er slettet i Billy siden jobbet.",
    "in_use_since": "posten ({kind}) {ids} bruges af noget i Billy nu, så den bliver. Arkivér den dér, hvis ingen vil have den.",
    "billy_keeps": "Billy vil ikke slette den ({message}), sandsynligvis fordi noget henviser til den. Arkivér den dér, "
    "hvis ingen vil have den.",
    "invoice_booked": "fakturaen {ids} er godkendt og bliver i regnskabet. I credit_notes.csv står kreditnotaen til den, klar "
    "til import.",
    "invoice_numbered": "kladden {ids} har fået et nummer siden og bliver. I credit_notes.csv står en kreditnota til den, "
    "klar til import, når den er godkendt.",
    "there_again": "der er sådan en post i Billy igen ({ids}), så der laves ingen.",
    "undone_elsewhere": "job {job} har allerede ført den tilbage, så intet gøres en gang til.",
    "undo_unsettled": "en forespørgsel fra job {job} om denne post fik intet klart svar. `billy retry {job}` finder ud af, "
    "hvad der blev af den; spørg så igen.",
    "image_missing": "hvad posten var, er ikke gemt, så den kan ikke føres tilbage.",
    "job_unsettled": "jobbet fik selv intet klart svar for rækken og kunne ikke finde ud af, hvad der blev af den. Se efter "
    "i Billy.",
    "already_gone": "den var allerede væk fra Billy.",
    "reversed_made_again": "sletningen af den var fortrudt, så den var i Billy med det nye id {new} (det var {old}). Den post "
    "er ført tilbage.",
    "as_before": "den var allerede, som den var før jobbet.",
    "half_restored": "en del af posten er igen, som den var før jobbet, resten er ikke ({message}). Se på posten i Billy.",
    "half_edited": "en del af {ids} er igen, som den var før jobbet, men {fields} er ændret i Billy imens og bliver, som "
    "det er. Se på posten dér.",
    "made_again": "lavet igen med det nye id {new} (det var {old}).",
    "made_again_in_part": "lavet igen med det nye id {new} (det var {old}); det, der hang på den ({fields}), var ikke gemt.",
    "kept_by_undo": "fortrydelsen af job {job} lod rækkens post blive i Billy ({ids}), så den laves ikke en gang til. Brug "
    "on_existing: create, hvis den skal.",
    "may_be_in_billy": "job {job}, som siden er fortrudt, fik intet klart svar, da det lavede linje {line} ({value}), og "
    "ingen kan se, om den er i Billy; så den sendes ikke igen. Se efter den dér. Mangler den, så læg rejected.csv ind, "
    "som har rækken.",
    # plans that wait for a person
    "apply_approve": "{number} fakturaer skal godkendes, hvilket bogfører moms og ikke kan tages tilbage. Se planen; "
    "`billy apply {job}` udfører den.",
    "apply_delete": "{number} poster skal slettes eller arkiveres. Se planen; `billy apply {job}` udfører den.",
    "confirm_count": "{number} poster skal slettes eller arkiveres, hvilket er en stor del. Se planen; "
    "`billy apply {job} --confirm-count {number}` udfører den.",
    # jobs that cannot do what is asked of them
    "reading_settled": "Job {job} har udført sin fil, helt eller delvist, som den blev læst før, så {options} kan ikke "
    "ændres i det mere. Der er ikke sendt noget nu. Udelad det, eller tag jobbet tilbage (`billy undo {job}`), og aflever "
    "så den samme fil med de nye indstillinger. Er der intet at tage tilbage, så tilføj --again (i en fil med "
    "indstillinger: again: true).",
    # files that cannot be used
    "file_too_large": "Filen fylder {size:,} byte; der læses højst {limit:,}. Del den, eller hæv BILLY_MAX_FILE_MB.",
    "unpacks_too_large": "Udpakket ville filen fylde over {limit:,} byte, så den pakkes ikke ud. Del den, eller hæv "
    "BILLY_MAX_FILE_MB.",
    "too_many_rows": "Filen har mere end {limit:,} rækker. Del den, eller hæv BILLY_MAX_ROWS.",
    "too_many_columns": "Filen har {columns:,} kolonner; der læses højst {limit:,}. Udelad dem, ingen bruger.",
    "cell_too_large": "Linje {line} har en værdi på over {limit:,} tegn. Et anførselstegn er sandsynligvis ikke lukket; "
    'inde i en værdi skal det skrives dobbelt ("").',
    "empty_file": "Filen er tom. Eksportér den igen; der skal være en overskrift og mindst én række.",
    "no_rows": "Filen har en overskrift, men ingen rækker under den.",
    "no_header": "Den første linje har værdier, ikke kolonnenavne. Sæt en overskrift over dem.",
    "nul_byte": "Linje {line} har en NUL-byte, så dette er ikke en tekstfil. Eksportér den igen.",
    "broken_quotes": "Fra linje {line} kan filen ikke læses ({reason}). Et anførselstegn er sandsynligvis ikke lukket; "
    'inde i en værdi skal det skrives dobbelt ("").',
    "duplicate_column": "Overskriften nævner kolonnen {name} to gange. Omdøb eller fjern den ene.",
    "two_columns_one_field": "Kolonnerne {first} og {second} betyder begge {field}. Fjern den ene, eller sig med "
    "indstillingen mapping, hvad de er.",
    "missing_column": "Filen har ingen kolonne {missing}. Dens kolonner er: {names}. Kendte navne: {known}. En kolonne "
    "med et andet navn kan bruges med indstillingen mapping, en fast værdi med indstillingen set.",
    "encoding_wrong": "Filen er ikke {encoding}: linje {line} har en byte, der ikke hører til. Udelad indstillingen "
    "encoding, eller angiv den rigtige.",
    "encoding_unknown": "{encoding} er ikke en tegnkodning, der kendes her. Brug utf-8, utf-16, cp1252, cp865 eller "
    "mac_roman.",
    "type_mismatch": "Filen hedder {extension}, men indeholder {content}. Gem den som det, den hedder, eller omdøb den.",
    "unknown_type": "{extension}-filer læses ikke. Brug CSV, JSON eller et regneark fra Excel eller LibreOffice.",
    "broken_file": "Filen er beskadiget og kan ikke åbnes som {kind} ({reason}). Eksportér den igen.",
    "encrypted_workbook": "Projektmappen er beskyttet med en adgangskode. Gem den uden, og læg den i mappen igen.",
    "html_workbook": "Filen hedder {extension}, men er en webside (HTML), som Excel alligevel åbner. Åbn den i Excel, "
    "gem den som .xlsx, og brug den fil.",
    "several_sheets": "Mere end ét ark har indhold: {names}. Sig hvilket med indstillingen sheet, eller slet de andre.",
    "no_such_sheet": "Der er intet ark {name}. Arkene er: {names}.",
    "broken_json": "Linje {line} er ikke JSON ({reason}).",
    "json_shape": 'JSON-filen har ingen liste af objekter: skriv [{{…}}, {{…}}] eller {{"{resource}": [{{…}}]}}.',
    "duplicate_key": "Linje {line} har et objekt, der nævner {key} to gange.",
    "bad_mapping": "Indstillingen mapping nævner {name}, som ikke er {what}. Kendte: {known}.",
    "bad_set": "Indstillingen set giver {field} en værdi, men {reason}.",
    "unknown_profile": "Der er ingen profil {name} for {resource}. Kendte: {known}.",
    "mappings_damaged": "{reason} Ret eller fjern den fil.",
    "bad_delimiter": "{delimiter} kan ikke adskille celler. Giv indstillingen delimiter ét tegn (; , |), eller tab.",
    "formula_without_result": "Celle {cell} i arket {sheet} har en formel, hvis resultat ikke er i filen. Åbn filen i "
    "Excel eller LibreOffice, gem den dér, og læg den i mappen igen.",
    "table_too_large": "Filen folder sig ud til flere celler, end der er hukommelse til. Slet det, der står langt under "
    "eller langt til højre for data, udelad kolonner, ingen bruger, eller gem den som CSV.",
    "bad_header_line": "Linje {line} har ingen kolonnenavne (indstillingen header_line).",
    # columns that are left out
    "column_switched_off": "indstillingen mapping siger, at den ikke bruges",
    "column_remembered_off": "det er sagt før, for filer med disse kolonner, at den ikke bruges",
    "column_of_profile": "bruges ikke i {title}",
    "column_marks_rows": "siger, hvilke rækker i {title} der udelades",
    "column_taken": "{field} tages fra kolonnen {column}",
    # parts of sentences
    "what_field": "et felt",
    "what_column": "en kolonne",
    "set_unknown_field": "der er intet sådant felt. Kendte: {known}",
    "set_has_column": "filen har kolonnen {column} til det",
    "more_names": "{number:,} flere",
    "approval_of_line": "linje {line} ikke blev godkendt ({code})",
    "failed_line": "linje {line} fejlede ({code}), og continue_on_error er slået fra",
    "another_failed": "en anden række fejlede, før den kom til, og continue_on_error er slået fra",
    "job_stopped": "jobbet blev stoppet",
    "similar_since": "en lignende post er kommet til siden",
    "job_failed": "jobbet ikke kunne fortsætte",
}
