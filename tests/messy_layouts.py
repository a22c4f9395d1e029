"""Messy layouts of the example's tables: what a company's own export may look like.

A layout is drawn by `pick`, which chooses one of several options: a random one by seed, or one of
hypothesis (`layouts`), which then finds the simplest layout that fails.
"""

import random
import sqlite3
from dataclasses import dataclass, field
from functools import cache

import duckdb
import numpy as np
import pandas as pd
from hypothesis import strategies as st

from analysis.data.contract import ITEMS
from simulation import draw, regional_worlds

OPTIONAL = (("complaints", "contacts"), ("complaints",), ())
SIZE, FIRST_DAY = 40, "2026-03-01"
NAMES = {
    "en": {
        "customer_id": [
            "Customer ID",
            "Cust_No",
            "CustomerNumber",
            "Client Code",
            "Member No.",
            "account_no",
        ],
        "region": ["Region", "Sales Region", "Territory", "REGION_NAME"],
        "segment": ["Segment", "Customer Type", "Cust. Group", "Customer category"],
        "area": ["Area", "Area Type", "Urban/Suburban", "Location type"],
        "joined_on": ["Joined", "Join Date", "Member Since", "Registration_Date", "Customer since"],
        "card_since": ["Card since", "Card Issue Date", "Card issued on", "card_start_date"],
        "answered_on": ["Date", "Survey Date", "Submitted at", "Response_Date", "Answered"],
        "station_id": ["Station", "Station ID", "Site", "Store No"],
        "expectation": ["Expectation", "Expectations", "Expected quality"],
        "performance": ["Performance", "Perceived performance", "Perceived Quality"],
        "product_value": ["Product value", "Value: product", "value_product"],
        "service_value": ["Service value", "Value: service", "value_service"],
        "personnel_value": ["Personnel value", "Staff value", "value_staff"],
        "image_value": ["Image value", "Brand image", "value_image"],
        "money_cost": ["Monetary cost", "Cost: money", "cost_money"],
        "time_cost": ["Time cost", "Cost: time", "cost_time"],
        "energy_cost": ["Energy cost", "Mental effort", "cost_energy"],
        "effort_cost": ["Physical effort", "Effort cost", "cost_effort"],
        "satisfaction": ["Satisfaction", "Sat", "Overall satisfaction", "Q_Satisfaction"],
        "loyalty": ["Loyalty", "Loyalty item", "LOY"],
        "price_sensitivity": ["Price sensitivity", "price_sens", "Sensitivity to price"],
        "works_quality": ["Works quality", "Quality of works", "Construction quality"],
        "works_communication": ["Works communication", "Communication of works"],
        "org_benefit": ["Organisational benefit", "Org. benefit", "Company benefit"],
        "personal_benefit": ["Personal benefit", "Benefit (personal)"],
        "added_service": ["Added service", "Value-added services"],
        "fuel_quality": ["Fuel quality", "Quality of fuel"],
        "price_rating": ["Price rating", "Rating: price"],
        "location_rating": ["Location rating", "Rating: location"],
        "channel": ["Channel", "Service channel"],
        "had_works": ["Had works", "Works on site", "Works (y/n)"],
        "told_others": ["Told others", "People told", "Number of people told"],
        "complaint_id": ["Ticket", "Complaint ID", "Case No", "ticket_number"],
        "kind": ["Type", "Kind", "Category"],
        "severity": ["Severity", "Priority", "Severity level"],
        "opened_at": ["Opened", "Created at", "Received", "Complaint date"],
        "explained_at": ["Explained", "Explained on", "Explanation sent"],
        "resolved_at": ["Resolved", "Closed at", "Resolution date", "resolved_on"],
        "satisfaction_after": [
            "Satisfaction after",
            "Satisfaction with handling",
            "After-case satisfaction",
        ],
        "bought_at": [
            "Date",
            "Purchase time",
            "Transaction Date",
            "Sold at",
            "trx_datetime",
            "Date/Time",
        ],
        "product": ["Product", "Product Group", "Item", "Product type"],
        "quantity": ["Quantity", "Litres", "Qty", "Volume (l)"],
        "amount": ["Amount", "Total", "Sales", "Line total", "Net Amount"],
        "cost": ["Cost", "COGS", "Cost of goods sold", "cost_amount"],
        "contacted_on": ["Date", "Contact date", "Contacted on", "Activity Date"],
        "purpose": ["Purpose", "Reason", "Goal"],
        "spending": ["Cost", "Spending", "Expense"],
        "unit_price": ["Unit price", "Price per unit"],
        "time": ["Time", "Time of day"],
    },
    "zh": {
        "customer_id": ["客户编号", "会员号", "客户ID", "用户编码", "会员卡号", "客户代码"],
        "region": ["区域", "大区", "所属地区", "销售区域"],
        "segment": ["客户类型", "客户细分", "客群分类", "客户类别"],
        "area": ["城乡", "城区/郊区", "区域类型", "区位"],
        "joined_on": ["注册日期", "入会时间", "开户日期", "加入日期"],
        "card_since": ["办卡日期", "开卡时间", "发卡日期", "持卡起始日期"],
        "answered_on": ["调查日期", "答题时间", "填写日期", "提交日期", "问卷日期"],
        "station_id": ["油站编号", "加油站", "站点", "网点编号"],
        "expectation": ["期望", "顾客期望", "期望水平"],
        "performance": ["感知绩效", "感知质量", "实际表现"],
        "product_value": ["产品价值", "产品价值评分"],
        "service_value": ["服务价值", "服务价值评分"],
        "personnel_value": ["人员价值", "员工价值"],
        "image_value": ["形象价值", "品牌形象"],
        "money_cost": ["货币成本", "金钱成本"],
        "time_cost": ["时间成本", "时间成本评分"],
        "energy_cost": ["精力成本", "精神成本"],
        "effort_cost": ["体力成本", "体力成本评分"],
        "satisfaction": ["满意度", "总体满意度", "满意度题"],
        "loyalty": ["忠诚度", "忠诚", "忠诚度题"],
        "price_sensitivity": ["价格敏感度", "价格敏感"],
        "works_quality": ["施工质量", "工程质量"],
        "works_communication": ["施工沟通", "工程沟通"],
        "org_benefit": ["组织利益", "单位利益"],
        "personal_benefit": ["个人利益", "个人收益"],
        "added_service": ["增值服务", "附加服务"],
        "fuel_quality": ["油品质量", "燃油质量"],
        "price_rating": ["价格评价", "油价评价"],
        "location_rating": ["位置评价", "地理位置评价"],
        "channel": ["渠道", "服务渠道"],
        "had_works": ["是否施工", "有无施工"],
        "told_others": ["告知人数", "转告人数"],
        "complaint_id": ["投诉编号", "工单号", "投诉单号"],
        "kind": ["类型", "类别"],
        "severity": ["严重程度", "投诉级别", "等级"],
        "opened_at": ["投诉时间", "受理时间", "登记时间"],
        "explained_at": ["解释时间", "答复时间"],
        "resolved_at": ["解决时间", "办结时间", "完结时间"],
        "satisfaction_after": ["处理满意度", "处理后满意度", "回访满意度"],
        "bought_at": ["加油时间", "交易时间", "消费日期", "交易日期时间"],
        "product": ["商品类别", "品类", "油品类型", "产品"],
        "quantity": ["升数", "数量", "加油量(升)", "加油升数"],
        "amount": ["金额", "消费金额", "实付金额(元)", "交易金额"],
        "cost": ["成本", "销售成本", "成本金额"],
        "contacted_on": ["联系日期", "拜访日期", "接触日期"],
        "purpose": ["目的", "联系目的"],
        "spending": ["费用", "花费(元)", "成本"],
        "unit_price": ["单价", "单价(元/升)"],
        "time": ["时间", "交易时刻"],
    },
    "de": {
        "customer_id": ["Kundennummer", "Kunden-Nr.", "KdNr", "Kunde", "KUNDEN_ID"],
        "region": ["Region", "Vertriebsregion", "Gebiet"],
        "segment": ["Segment", "Kundengruppe", "Kundentyp"],
        "area": ["Lage", "Gebietsart", "Stadt/Umland"],
        "joined_on": ["Kunde seit", "Beitrittsdatum", "Registriert am", "Anmeldedatum"],
        "card_since": ["Karte seit", "Kartenausgabe am", "Kundenkarte seit"],
        "answered_on": ["Datum", "Befragt am", "Antwortdatum"],
        "station_id": ["Station", "Tankstelle", "Stations-Nr."],
        "expectation": ["Erwartung", "Erwartungen"],
        "performance": ["Leistung", "Wahrgenommene Leistung"],
        "product_value": ["Produktwert", "Wert Produkt"],
        "service_value": ["Servicewert", "Wert Service"],
        "personnel_value": ["Personalwert", "Wert Personal"],
        "image_value": ["Imagewert", "Markenimage"],
        "money_cost": ["Geldkosten", "Kosten (Geld)"],
        "time_cost": ["Zeitkosten", "Zeitaufwand"],
        "energy_cost": ["Energiekosten", "Mentaler Aufwand"],
        "effort_cost": ["Körperlicher Aufwand", "Kraftaufwand"],
        "satisfaction": ["Zufriedenheit", "Zufriedenheit Frage"],
        "loyalty": ["Loyalität", "Treue"],
        "price_sensitivity": ["Preissensibilität", "Preisempfindlichkeit"],
        "works_quality": ["Bauqualität", "Qualität der Arbeiten"],
        "works_communication": ["Baukommunikation", "Kommunikation der Arbeiten"],
        "org_benefit": ["Organisationsnutzen", "Nutzen Firma"],
        "personal_benefit": ["Persönlicher Nutzen", "Nutzen persönlich"],
        "added_service": ["Zusatzservice", "Zusatzleistungen"],
        "fuel_quality": ["Kraftstoffqualität", "Qualität Kraftstoff"],
        "price_rating": ["Preisbewertung", "Bewertung Preis"],
        "location_rating": ["Standortbewertung", "Bewertung Standort"],
        "channel": ["Kanal", "Servicekanal"],
        "had_works": ["Arbeiten vor Ort", "Bauarbeiten"],
        "told_others": ["Weitererzählt", "Anzahl Weitererzählt"],
        "complaint_id": ["Beschwerde-Nr.", "Ticket", "Vorgangsnummer"],
        "kind": ["Art", "Kategorie", "Typ"],
        "severity": ["Schweregrad", "Priorität"],
        "opened_at": ["Eröffnet am", "Eingang", "Eingegangen am"],
        "explained_at": ["Erklärt am", "Erläutert am"],
        "resolved_at": ["Gelöst am", "Erledigt am", "Abgeschlossen"],
        "satisfaction_after": ["Zufriedenheit danach", "Zufriedenheit nach Bearbeitung"],
        "bought_at": ["Datum", "Kaufdatum", "Belegdatum", "Tankzeitpunkt"],
        "product": ["Produkt", "Warengruppe", "Artikel"],
        "quantity": ["Menge", "Liter", "Menge (l)"],
        "amount": ["Betrag", "Umsatz", "Summe", "Betrag (EUR)"],
        "cost": ["Kosten", "Wareneinsatz", "Einstandskosten"],
        "contacted_on": ["Datum", "Kontaktdatum", "Kontaktiert am"],
        "purpose": ["Zweck", "Anlass"],
        "spending": ["Kosten", "Ausgaben"],
        "unit_price": ["Einzelpreis", "Preis/Einheit"],
        "time": ["Uhrzeit", "Zeit"],
    },
}
FILES = {
    "en": {
        "customers": ["customers", "Customer master", "clients_export", "CRM_members"],
        "survey": ["survey", "Survey answers", "questionnaire_2025", "csat_responses"],
        "complaints": ["complaints", "tickets", "Complaint log"],
        "transactions": ["sales", "transactions", "purchases", "Receipts"],
        "contacts": ["contacts", "Visits and calls", "crm_activities"],
    },
    "zh": {
        "customers": ["客户档案", "会员信息", "客户主数据"],
        "survey": ["满意度调查", "问卷结果", "调研数据"],
        "complaints": ["投诉记录", "投诉工单", "客户投诉"],
        "transactions": ["加油流水", "交易明细", "销售数据"],
        "contacts": ["客户拜访", "联系记录", "营销活动"],
    },
    "de": {
        "customers": ["Kunden", "Kundenstamm", "Kundenliste"],
        "survey": ["Umfrage", "Befragung 2025", "Fragebogen"],
        "complaints": ["Beschwerden", "Reklamationen"],
        "transactions": ["Verkäufe", "Umsaetze", "Belege"],
        "contacts": ["Kontakte", "Besuche", "Kundenkontakte"],
    },
}
WORDS = {
    "zh": {
        "area": {"urban": "城区", "suburban": "郊区"},
        "had_works": {"true": "是", "false": "否"},
        "channel": {"online": "线上", "on_site": "现场", "phone": "电话"},
        "product": {"fuel": "汽油", "gas": "天然气", "shop": "便利店", "services": "服务"},
        "kind": {"visit": "拜访", "call": "电话", "campaign": "营销活动"},
        "purpose": {"acquire": "拉新", "retain": "维系", "service": "服务"},
    },
    "de": {
        "area": {"urban": "Stadt", "suburban": "Umland"},
        "had_works": {"true": "ja", "false": "nein"},
        "channel": {"online": "Online", "on_site": "vor Ort", "phone": "Telefon"},
        "product": {"fuel": "Kraftstoff", "gas": "Erdgas", "shop": "Shop"},
        "kind": {"visit": "Besuch", "call": "Anruf", "campaign": "Kampagne"},
        "purpose": {"acquire": "Neukunde", "retain": "Bindung", "service": "Service"},
    },
    "en": {
        "area": {"urban": "City", "suburban": "Suburb"},
        "had_works": {"true": "Yes", "false": "No"},
        "channel": {"online": "Web", "on_site": "In store", "phone": "Phone"},
        "product": {"fuel": "Diesel", "gas": "LPG", "shop": "Shop"},
        "kind": {"visit": "Visit", "call": "Phone call", "campaign": "Campaign"},
        "purpose": {"acquire": "New customer", "retain": "Retention", "service": "Service"},
    },
}
LIKERT = {
    "zh": ["非常不满意", "不满意", "一般", "满意", "非常满意"],
    "en": ["Very dissatisfied", "Dissatisfied", "Neutral", "Satisfied", "Very satisfied"],
    "de": ["sehr unzufrieden", "unzufrieden", "teils/teils", "zufrieden", "sehr zufrieden"],
}
EXTRA = {
    "en": {
        "Customer name": "Jane Doe",
        "Phone": "555-0199",
        "Remarks": "",
        "Exported by": "admin",
        "Status": "completed",
    },
    "zh": {
        "客户姓名": "王芳",
        "手机号": "13800000000",
        "备注": "",
        "操作员": "李四",
        "交易状态": "已完成",
    },
    "de": {
        "Kundenname": "Erika Muster",
        "Telefon": "030 1234",
        "Bemerkung": "",
        "Bearbeiter": "Groß",
        "Status": "gebucht",
    },
}
PREAMBLE = {
    "en": ["Export of 2026-06-30", "Confidential - internal use only", ""],
    "zh": ["导出时间：2026年6月30日", "内部资料，请勿外传", ""],
    "de": ["Auszug vom 30.06.2026", "Nur für den internen Gebrauch", ""],
}
ENCODINGS = {
    "en": ["utf-8", "utf-8-sig", "utf-16", "gb18030"],  # the regions' names are Chinese
    "zh": ["utf-8", "utf-8-sig", "gb18030", "utf-16"],
    "de": ["utf-8", "utf-8-sig", "cp1252", "utf-16"],
}
DATE_FORMATS = {
    "en": ["%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%d-%b-%Y", "%Y%m%d"],
    "zh": ["%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d", "%Y.%m.%d"],
    "de": ["%d.%m.%Y", "%d.%m.%y", "%Y-%m-%d"],
}
ITEM_NAMES = {each: each.rsplit("_", 1)[0] for each in ITEMS if each[-1].isdigit()}


@dataclass(frozen=True)
class Layout:
    """How a company writes the five tables."""

    language: str
    container: str
    encoding: str
    delimiter: str
    decimal: str
    thousands: str
    sign: str
    date_format: str
    time_format: str
    is_time_apart: bool
    by_month: bool
    by_region: bool
    preamble: int
    ids: str
    missing: str
    scale: str
    has_extra: bool
    has_words: bool
    has_unit_price: bool
    has_distractor: bool
    pads: bool
    tables: tuple[str, ...]
    names: dict = field(repr=False)
    files: dict = field(repr=False)
    order: int = 0


def by_seed(seed):
    """Return a random layout."""
    return layout(random.Random(seed).choice)


@st.composite
def layouts(draw):
    """Return layouts; hypothesis finds the simplest that fails."""
    return layout(lambda options: draw(st.sampled_from(options)))


def layout(pick):
    """Return a layout, each trait chosen by `pick` out of a list; the plainest stands first."""
    language = pick(["en", "zh", "de"])
    decimal = pick([".", ","]) if language == "de" else "."
    names = {name: pick(options) for name, options in NAMES[language].items()}
    if names["contacted_on"] == names["cost"]:
        names["cost"] = NAMES[language]["cost"][0]
    return Layout(
        language=language,
        container=pick(
            ["csv", "csv", "txt", "csv.gz", "xlsx", "xlsx per table", "mixed", "sqlite", "duckdb"]
        ),
        encoding=pick(ENCODINGS[language]),
        delimiter=pick([";", "\t", "|"] if decimal == "," else [",", ";", "\t", "|"]),
        decimal=decimal,
        thousands=pick(["", "", {".": ",", ",": "."}[decimal]]),
        sign=pick(["", "", {"en": "$", "zh": "¥", "de": " €"}[language]]),
        date_format=pick(DATE_FORMATS[language]),
        time_format=pick(["%H:%M:%S", "%H:%M"]),
        is_time_apart=pick([False, False, True]),
        by_month=pick([False, True]),
        by_region=pick([False, False, True]),
        preamble=pick([0, 0, 1, 2, 3]),
        ids=pick(["as they are", "numbers", "zeros in customers", "decimals in survey"]),
        missing=pick(
            ["", "", "NA", "-", "NULL", {"en": "n.a.", "zh": "无", "de": "k.A."}[language]]
        ),
        scale=pick(["1-10", "1-5", "1-7", "0-10", "0-100", "words", "5 - words"]),
        has_extra=pick([False, True]),
        has_words=pick([False, True]),
        has_unit_price=pick([False, False, False, True]),
        has_distractor=pick([False, True]),
        pads=pick([False, False, True]),
        tables=("customers", "transactions", "survey", *pick(OPTIONAL)),
        names=names,
        files={name: pick(options) for name, options in FILES[language].items()},
        order=pick(list(range(50))),
    )


@cache
def tables():
    """Return the example's tables of two small regions, with purchases of some months."""
    worlds = list(regional_worlds(7).values())[:2]
    drawn = [draw(world, SIZE, i + 3) for i, world in enumerate(worlds)]
    own = {name: pd.concat([each[name] for each in drawn], ignore_index=True) for name in drawn[0]}
    lines = own["transactions"]
    lines = lines[lines["bought_at"] >= FIRST_DAY].reset_index(drop=True)
    return own | {"transactions": lines}


def totals(layout):
    """Return what the workbook must find: numbers of rows, sales and mean satisfaction."""
    own = {name: tables()[name] for name in layout.tables}
    sat = _scaled(own["survey"]["satisfaction_1"].astype("Float64"), layout.scale)
    return {
        "rows": {name: len(each) for name, each in own.items()},
        "sales": float(own["transactions"]["amount"].sum()),
        "satisfaction": float(_back(sat, layout.scale).mean()),
    }


def write(layout, folder):
    """Write the tables; return the folder, or the file, to look at."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = {name: _messy(layout, name) for name in layout.tables}
    if layout.container in ("sqlite", "duckdb"):
        return _database(layout, frames, folder)
    if layout.container == "xlsx":
        path = folder / "export.xlsx"
        with pd.ExcelWriter(path, engine="openpyxl") as book:
            for name, frame in frames.items():
                _sheet(layout, frame, book, layout.files[name])
        return path
    for name, frame in frames.items():
        for stem, part in _split(layout, name, frame):
            _file(layout, name, part, folder / stem)
    if layout.has_distractor:
        text = "S01,A street\nS02,B street\n"
        (folder / "stations.csv").write_text("no,street\n" + text, encoding="utf-8")
        (folder / "readme.md").write_text("Files of the export.", encoding="utf-8")
    return folder


def _scaled(values, scale):
    """Return ratings of 1 to 10 on another scale."""
    if scale in ("1-5", "words", "5 - words"):
        return ((values + 1) // 2).clip(1, 5)
    if scale == "1-7":
        return (1 + (values - 1) * 6 / 9).round()
    if scale == "0-10":
        return ((values - 1) * 10 / 9).round()
    return (values - 1) * 11 + 1 if scale == "0-100" else values


def _back(values, scale):
    """Return what the contract makes of ratings."""
    low, high = {"1-5": (1, 5), "words": (1, 5), "5 - words": (1, 5), "1-7": (1, 7)}.get(
        scale, {"0-10": (0, 10), "0-100": (0, 100)}.get(scale, (1, 10))
    )
    return 1 + (values - low) * 9 / (high - low)


def _messy(layout, name):
    """Return a table as the company has it: a frame of text, or of values for databases."""
    frame = tables()[name].copy()
    rng = np.random.default_rng(layout.order)
    if name == "transactions" and layout.has_unit_price and (frame["quantity"] > 0).all():
        frame["amount"] = (frame["amount"] / frame["quantity"]).round(8)
        frame = frame.rename(columns={"amount": "unit_price"})
    columns = {}
    for column in frame.columns:
        own = frame[column]
        if column == "customer_id":
            columns |= {layout.names[column]: _id(layout, name, own)}
        elif column in ITEMS or column == "satisfaction_after":
            columns |= {_item(layout, column): _rating(layout, own)}
        elif own.dtype.kind == "M":
            columns |= _moments(layout, name, column, own)
        elif own.dtype.kind in "fiu" or str(own.dtype).startswith(("Int", "Float")):
            heading = "spending" if (name, column) == ("contacts", "cost") else column
            columns |= {layout.names[heading]: _numbers(layout, column, own)}
        else:
            columns |= {layout.names.get(column, column): _texts(layout, name, column, own)}
    made = pd.DataFrame(columns)
    if layout.has_extra:
        extra = list(EXTRA[layout.language].items())[: 4 + (name == "transactions")]
        for heading, value in extra:
            if heading not in made.columns:
                made[heading] = value
    order = list(made.columns)
    rng.shuffle(order)
    made = made[order]
    if layout.container not in ("sqlite", "duckdb"):
        made = made.astype(object).where(made.notna(), layout.missing)
    return made.rename(columns=lambda each: f" {each}\u3000" if layout.pads else each)


def _id(layout, name, own):
    """Return identifiers: as they are, or as numbers with or without zeros."""
    if layout.ids == "as they are":
        return own
    codes = {
        code: i for i, code in enumerate(sorted(tables()["customers"]["customer_id"]), start=17)
    }
    numbers = own.map(codes).astype(int)
    if layout.ids == "zeros in customers" and name == "customers":
        return numbers.map("{:06d}".format)
    if layout.ids == "decimals in survey" and name == "survey":
        return numbers.map("{:.1f}".format)
    return numbers.astype(str)


def _item(layout, column):
    if column == "satisfaction_after":
        return layout.names[column]
    base = ITEM_NAMES.get(column)
    return f"{layout.names[base]} {column[-1]}" if base else layout.names[column]


def _rating(layout, own):
    values = _scaled(own.astype("Float64"), layout.scale)
    if layout.scale in ("words", "5 - words"):
        words = LIKERT[layout.language]
        numbered = layout.scale == "5 - words"
        return values.map(
            lambda v: (f"{int(v)} - " if numbered else "") + words[int(v) - 1], na_action="ignore"
        ).astype(object)
    values = values.astype("Int64")
    return (
        values
        if layout.container in ("sqlite", "duckdb")
        else values.astype("string").astype(object)
    )


def _moments(layout, name, column, own):
    """Return a column of dates, or two of days and times."""
    has_time = bool((own.dropna().dt.normalize() != own.dropna()).any())
    heading = layout.names[column]
    if layout.container in ("sqlite", "duckdb") and layout.order % 2:
        return {heading: own}
    days = own.dt.strftime(layout.date_format)
    times = own.dt.strftime(layout.time_format)
    if not has_time:
        return {heading: days.astype(object)}
    if layout.is_time_apart and column == "bought_at":
        return {heading: days.astype(object), layout.names["time"]: times.astype(object)}
    return {heading: (days + " " + times).astype(object)}


def _numbers(layout, column, own):
    if layout.container in ("sqlite", "duckdb"):
        return own
    is_money = column in ("amount", "cost", "unit_price")

    def text(value):
        plain = f"{value:,}" if layout.thousands and column != "severity" else f"{value}"
        if isinstance(value, float) and plain.endswith(".0") and column in ("told_others",):
            plain = plain[:-2]
        plain = plain.translate(str.maketrans({",": layout.thousands, ".": layout.decimal}))
        if not (is_money and layout.sign):
            return plain
        return plain + layout.sign if layout.sign.startswith(" ") else layout.sign + plain

    return own.map(text, na_action="ignore").astype(object)


def _texts(layout, name, column, own):
    words = WORDS[layout.language].get(column, {})
    if (not layout.has_words and column != "had_works") or (name, column) == ("complaints", "kind"):
        return own
    return own.map(lambda v: words.get(v, v) if layout.has_words else v)


def _split(layout, name, frame):
    """Yield the files of a table: one, one a month, or one for each region."""
    stem = layout.files[name]
    if name == "transactions" and layout.by_month:
        months = tables()[name]["bought_at"].dt.strftime("%Y-%m").to_numpy()
    elif name == "customers" and layout.by_region:
        months = (
            tables()[name]["region"]
            .map({r: f"R{i}" for i, r in enumerate(sorted(set(tables()[name]["region"])), 1)})
            .to_numpy()
        )
    else:
        yield stem, frame
        return
    for month in sorted(set(months)):
        yield f"{stem}_{month}", frame[months == month]


def _file(layout, name, frame, path):
    """Write one file."""
    kind = layout.container
    if kind == "mixed":
        kind = {"transactions": "csv", "customers": "xlsx per table"}.get(name, "txt")
    if kind == "xlsx per table":
        with pd.ExcelWriter(path.parent / f"{path.name}.xlsx", engine="openpyxl") as book:
            _sheet(layout, frame, book, "Sheet1")
        return
    lines = PREAMBLE[layout.language][: layout.preamble]
    head = "".join(f"{line}\n" for line in lines)
    text = frame.to_csv(index=False, sep=layout.delimiter, lineterminator="\n")
    encoding = "gb18030" if layout.encoding == "cp1252" and not _fits(text) else layout.encoding
    target = path.parent / f"{path.name}.{kind}"
    if kind == "csv.gz":
        import gzip

        with gzip.open(target, "wt", encoding=encoding, newline="") as file:
            file.write(head + text)
    else:
        target.write_text(head + text, encoding=encoding, newline="")


def _fits(text):
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _sheet(layout, frame, book, sheet):
    """Write a sheet, below some rows of another kind."""
    frame.to_excel(book, sheet_name=sheet, index=False, startrow=layout.preamble)
    for i, line in enumerate(PREAMBLE[layout.language][: layout.preamble], start=1):
        book.sheets[sheet].cell(row=i, column=1, value=line)


def _database(layout, frames, folder):
    """Write a database."""
    path = folder / f"company.{layout.container}"
    names = {name: layout.files[name].replace(" ", "_") for name in frames}
    if layout.container == "sqlite":
        with sqlite3.connect(path) as database:
            for name, frame in frames.items():
                frame.to_sql(names[name], database, index=False)
        return path
    with duckdb.connect(str(path)) as database:
        for name, frame in frames.items():
            own = frame.convert_dtypes()  # noqa: F841 - DuckDB finds it by name
            database.execute(f'create table "{names[name]}" as select * from own')
    return path
