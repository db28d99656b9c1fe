"""Exports of web shops: Shopify, WooCommerce, SmartWeb, DanDomain. Their prices include VAT or not by a setting that
no file states, so `prices_include_vat` is asked for (rule B14)."""

from __future__ import annotations

from billy_pipelines.schemas.profiles_books import NOT_USED, unused
from billy_pipelines.schemas.row_schema import Profile

_STATES = ("refunded", "cancelled", "failed", "trash")
_NOT_SOLD = (
    *_STATES,
    *(f"wc-{state}" for state in _STATES),  # as the database and some export plug-ins call them
    *("refunderet", "annulleret", "mislykket", "mislykkedes", "fejlet"),
)

SHOPIFY_CUSTOMERS = Profile(
    name="shopify_customers",
    title="Shopify customers",
    signature=("First Name", "Last Name", "Email", "Total Spent"),
    meaning={
        # A customer with a company is that company; First Name and Last Name are then the person to write to.
        "Default Address Company": "name",
        "Company": "name",
        "Email": "email",
        "Phone": "phone",
        "Default Address Phone": "phone",
        "Default Address City": "city",
        "City": "city",
        "Default Address Zip": "zipcode",
        "Zip": "zipcode",
        "Default Address Country Code": "country",
        "Country Code": "country",
        "Country": "country",
        **unused(
            "Customer ID",
            "ID",
            "Default Address Province Code",
            "Province Code",
            "Province",
            "Accepts Email Marketing",
            "Accepts SMS Marketing",
            "Accepts Marketing",
            "Total Spent",
            "Total Orders",
            "Tags",
            "Note",
            "Tax Exempt",
        ),
    },
    joined={
        "address": ("Default Address Address1", "Address1", "Default Address Address2", "Address2"),
    },
)

SHOPIFY_ORDERS = Profile(
    name="shopify_orders",
    title="Shopify orders",
    signature=("Name", "Financial Status", "Created at", "Lineitem quantity", "Lineitem price"),
    meaning={
        "Name": "invoice",
        "Id": "externalId",
        "Created at": "entryDate",
        "Currency": "currency",
        "Billing Company": "contactName",
        "Email": "contactEmail",
        "Lineitem sku": "productNo",
        "Lineitem name": "productName",
        "Lineitem quantity": "quantity",
        "Lineitem price": "unitPrice",
        "Lineitem discount": "discountAmount",
        # What the order comes to, with shipping and discount codes, which are no lines of the file: an invoice that
        # would lack them does not add up, and is refused rather than booked too low or too high.
        "Taxes": "taxControl",
        "Total": "totalControl",
        **unused(
            "Subtotal",
            "Shipping",
            "Discount Amount",
            "Discount Code",
            "Paid at",
            "Fulfilled at",
            "Fulfillment Status",
            "Refunded Amount",
            "Outstanding Balance",
            "Accepts Marketing",
            "Shipping Method",
            "Payment Method",
            "Payment Reference",
            "Payment Terms Name",
            "Next Payment Due At",
            "Lineitem compare at price",
            "Lineitem requires shipping",
            "Lineitem taxable",
            "Lineitem fulfillment status",
            "Phone",
            "Notes",
            "Note Attributes",
            "Tags",
            "Source",
            "Vendor",
            "Location",
            "Employee",
        ),
    },
    joined={"attention": ("Billing Name",)},
    inherits=("externalId", "entryDate", "currency", "contactName", "contactEmail", "attention"),
    decimal="point",
    prices_include_vat="ask",
    # Also partly refunded ones: the lines are those of the whole order, so the invoice would be too large.
    excluded={"Financial Status": ("refunded", "partially_refunded", "voided"), "Cancelled at": ("*",)},
    must_be_zero=("Shipping", "Discount Amount"),
    stated_total="Total",
)

SHOPIFY_PRODUCTS = Profile(
    name="shopify_products",
    title="Shopify products",
    signature=("Handle", "Title", "Variant SKU", "Variant Price"),
    meaning={
        "Title": "name",
        "Variant SKU": "productNo",
        "Variant Price": "unitPrice",
        "Variant Taxable": "salesTaxRuleset",
        **unused(
            "Handle",
            "Body (HTML)",
            "Vendor",
            "Type",
            "Product Category",
            "Tags",
            "Published",
            "Status",
            "Option1 Name",
            "Option1 Value",
            "Option2 Name",
            "Option2 Value",
            "Option3 Name",
            "Option3 Value",
            "Variant Grams",
            "Variant Barcode",
            "Variant Compare At Price",
            "Cost per item",
            "Image Src",
        ),
    },
    inherits=("name",),
    record="Handle",
    decimal="point",
    prices_include_vat="ask",
    excluded={"Variant Price": ("",)},  # rows that only add a picture to the product above
)

WOOCOMMERCE_PRODUCTS = Profile(
    name="woocommerce_products",
    title="WooCommerce products",
    signature=("ID", "Type", "SKU", "Name", "Regular price"),
    meaning={
        "ID": NOT_USED,  # WooCommerce's, not Billy's
        "SKU": "productNo",
        "Name": "name",
        "Regular price": "unitPrice",
        "Tax status": "salesTaxRuleset",
        "Short description": NOT_USED,  # HTML, as the description is
        **unused(
            "Sale price",
            "Tax class",
            "Published",
            "Description",
            "Stock",
            "In stock?",
            "Parent",
            "Categories",
            "Tags",
            "Images",
        ),
    },
    prices_include_vat="ask",
    excluded={"Type": ("variable", "grouped")},  # they stand for the rows that are sold, and have no price
)

WOOCOMMERCE_PRODUCTS_DA = Profile(
    name="woocommerce_products_da",
    title="WooCommerce products (Danish)",
    signature=("ID", "Type", "Navn", "Normalpris"),
    meaning={
        "ID": NOT_USED,
        "Varenummer (SKU)": "productNo",
        "SKU": "productNo",
        "Navn": "name",
        "Normalpris": "unitPrice",
        "Momsstatus": "salesTaxRuleset",
        **unused(
            "Tilbudspris",
            "Momsklasse",
            "Udgivet",
            "Kort beskrivelse",
            "Beskrivelse",
            "Lager",
            "Kategorier",
            "Tags",
            "Billeder",
        ),
    },
    prices_include_vat="ask",
    excluded={"Type": ("variable", "grouped")},
)

WOOCOMMERCE_ORDERS = Profile(
    name="woocommerce_orders",
    title="WooCommerce orders",
    signature=("order_id", "billing_first_name", "billing_last_name", "order_total"),
    meaning={
        "order_number": "orderNo",
        "order_id": "invoice",
        "date": "entryDate",
        "order_date": "entryDate",
        "order_currency": "currency",
        "billing_company": "contactName",
        "billing_email": "contactEmail",
        "order_total": "totalControl",
        **unused(
            "billing_phone",
            "billing_address",
            "billing_address_1",
            "billing_address_2",
            "billing_postcode",
            "billing_city",
            "billing_state",
            "billing_country",
            "shipping_total",
            "customer_note",
        ),
    },
    joined={"attention": ("billing_first_name", "billing_last_name")},
    date_order="month_first",
    prices_include_vat="ask",
    excluded={"order_status": _NOT_SOLD, "status": _NOT_SOLD},
)

SMARTWEB_ORDERS = Profile(
    name="smartweb_orders",
    title="SmartWeb orders",
    signature=("ORDER_ID", "ORDER_DATE", "PRODUCT_NUMBER", "PRODUCT_AMOUNT", "PRODUCT_PRICE"),
    meaning={
        "ORDER_ID": "invoice",
        "ORDER_DATE": "entryDate",
        "ORDER_CURRENCY": "currency",
        "ORDER_REFERENCE_NR": "orderNo",
        "ORDER_TOTAL": "totalControl",  # with delivery and payment fee, which are no lines of the file
        "PRODUCT_NUMBER": "productNo",
        "PRODUCT_AMOUNT": "quantity",
        "PRODUCT_PRICE": "unitPrice",
        "PRODUCT_DISCOUNT": NOT_USED,  # of one piece or of all, an amount or a percentage: the file does not say
        **unused(
            "PRODUCT_ID",
            "PRODUCT_BUY_PRICE",
            "ORDER_VAT",
            "ORDER_STATUS",
            "ORDER_COMMENT",
            "ORDER_COMMENT_EXTERNAL",
            "ORDER_COMMENT_CUSTOMER",
            "DELIVERY_TITLE",
            "DELIVERY_PRICE",
            "PAYMENT_TITLE",
            "PAYMENT_PRICE",
        ),
    },
    joined={"productName": ("PRODUCT_TITLE", "PRODUCT_TITLE1", "PRODUCT_TITLE2", "PRODUCT_TITLE3")},
    inherits=("entryDate", "currency", "orderNo"),
    prices_include_vat="ask",
    must_be_zero=("PRODUCT_DISCOUNT", "DELIVERY_PRICE", "PAYMENT_PRICE"),
    stated_total="ORDER_TOTAL",
)

DANDOMAIN_PRICES = Profile(
    name="dandomain_prices",
    title="DanDomain prices",
    signature=("PRICE_PROD_NUM", "CURRENCY_CODE", "UNIT_PRICE"),
    meaning={
        "PRICE_PROD_NUM": "productNo",
        "PROD_NAME": "name",
        "CURRENCY_CODE": "currency",
        "UNIT_PRICE": "unitPrice",
        **unused("PROD_COST_PRICE", "PROD_RETAIL_PRICE", "LANGUAGE_ID"),
    },
    decimal="comma",
    prices_include_vat="ask",
    # Prices for larger quantities and for groups of customers: none of them is the product's price.
    excluded={"AMOUNT": ("!", "0", "1"), "PRICE_B2B_ID": ("!", "0")},
)
