"""A gas company's folder as its systems export it: made up, and messy in the ways that they are.

`python tests/gas_export.py data/gas` writes it; docs/first-report.md is a trial with it.
"""

import sys
from pathlib import Path

import pandas as pd

from simulation import draw, regional_worlds

CUSTOMERS = 250
"""In each of two branches."""
NAMES = ("城东分公司", "城西分公司")
ITEMS = {
    "expectation": "您对我们服务的期望",
    "performance": "实际体验",
    "satisfaction_1": "您对我公司的总体满意度",
    "satisfaction_2": "满意度：与期望相比",
    "satisfaction_3": "满意度：与理想的燃气公司相比",
    "loyalty_1": "您是否愿意继续使用我们的服务",
    "service_value": "服务价值",
    "personnel_value": "服务人员态度",
    "time_cost": "时间成本",
}
SATISFIED = ["很不满意", "不满意", "基本满意", "满意", "非常满意"]
WILLING = ["非常不愿意", "不愿意", "不确定", "愿意", "非常愿意"]
URGENT = {1: "一般", 2: "一般", 3: "紧急", 4: "紧急", 5: "特急"}


def write(folder, customers=CUSTOMERS):
    """Write the files of two branches."""
    folder.mkdir(parents=True, exist_ok=True)
    own = zip(regional_worlds().values(), NAMES, strict=False)
    drawn = [
        {name: each.assign(branch=branch) for name, each in draw(world, customers, i).items()}
        for i, (world, branch) in enumerate(own, start=1)
    ]
    tables = {name: pd.concat([each[name] for each in drawn]) for name in drawn[0]}
    codes = {code: i for i, code in enumerate(sorted(tables["customers"]["customer_id"]), 1001)}
    numbers = {name: each["customer_id"].map(codes) for name, each in tables.items()}
    _customers(folder / "用户档案.xlsx", tables["customers"], numbers["customers"])
    _survey(folder / "满意度调查.xlsx", tables["survey"], numbers["survey"])
    _complaints(folder / "热线工单.csv", tables["complaints"], numbers["complaints"])
    _payments(folder, tables["transactions"], numbers["transactions"])


def _customers(path, rows, numbers):
    """Write customers below a title, their numbers with zeros before them."""
    frame = pd.DataFrame(
        {
            "户号": numbers.map("{:08d}".format),
            "用户姓名": numbers.map("用户{}".format),
            "所属分公司": rows["branch"],
            "用户类别": rows["segment"],
            "区域类型": rows["area"].map({"urban": "城区", "suburban": "郊区"}),
            "开户日期": rows["joined_on"].dt.strftime("%Y/%m/%d"),
            "表具类型": "物联网表",
        }
    )
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        frame.to_excel(book, sheet_name="Sheet1", index=False, startrow=2)
        book.sheets["Sheet1"].cell(row=1, column=1, value="燃气用户档案")


def _survey(path, rows, numbers):
    """Write a survey's answers as words, on the second sheet."""
    columns = {"答卷编号": range(1, len(rows) + 1), "户号": numbers.astype(str)}
    columns["提交时间"] = rows["answered_on"].map(lambda d: f"{d.year}年{d.month}月{d.day}日")
    for number, (item, question) in enumerate(ITEMS.items(), start=1):
        words = WILLING if item == "loyalty_1" else SATISFIED
        steps = ((rows[item].astype("Float64") - 1) // 2).clip(0, 4)
        columns[f"{number}.{question}"] = steps.map(
            lambda s, w=words: w[int(s)], na_action="ignore"
        )
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        pd.DataFrame({"填写说明": ["请客户如实填写"]}).to_excel(
            book, sheet_name="说明", index=False
        )
        pd.DataFrame(columns).to_excel(book, sheet_name="答卷", index=False)


def _complaints(path, rows, numbers):
    """Write the cases of the hotline."""
    frame = pd.DataFrame(
        {
            "工单编号": [f"GD{i:06d}" for i in range(1, len(rows) + 1)],
            "户号": numbers,
            "受理时间": rows["opened_at"].dt.strftime("%Y-%m-%d %H:%M:%S"),
            "答复时间": rows["explained_at"].dt.strftime("%Y-%m-%d %H:%M:%S"),
            "办结时间": rows["resolved_at"].dt.strftime("%Y-%m-%d %H:%M:%S"),
            "紧急程度": rows["severity"].astype("Int64").map(URGENT),
            "回访满意度": ((rows["satisfaction_after"].astype("Float64") - 1) // 2)
            .clip(0, 4)
            .map(lambda s: SATISFIED[int(s)], na_action="ignore")
            .fillna("未评价"),
            "工单内容": "略",
        }
    )
    frame.to_csv(path, index=False, encoding="utf-8-sig")


def _payments(folder, rows, numbers):
    """Write a file a month in GB 18030: three lines above the header, and a line of the total."""
    rows = rows.assign(number=numbers, month=rows["bought_at"].dt.strftime("%Y%m"))
    for month, own in rows.sort_values("bought_at").groupby("month"):
        lines = ["某某燃气有限公司", f"缴费明细 {month}", ""]
        lines.append("序号,户号,缴费时间,品类,用气量(m³),应收金额(元),实收金额(元),收费员")
        for i, each in enumerate(own.itertuples(), start=1):
            when = f"{each.bought_at:%Y/%m/%d %H:%M}"
            what, volume, paid = each.product, each.quantity, each.amount
            lines.append(
                f'{i},{each.number},{when},{what},{volume},"{paid:,.2f}","{paid:,.2f}",张三'
            )
        total = own["amount"].sum()
        lines.append(f'合计,,,,{own["quantity"].sum():.2f},"{total:,.2f}","{total:,.2f}",')
        path = folder / f"缴费明细_{month}.csv"
        path.write_text("\r\n".join(lines) + "\r\n", encoding="gb18030", newline="")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
