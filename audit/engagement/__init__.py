"""What clicks, carts and purchases say of the labels: aggregation, click models, evidence, flags, report.

    source ─events→ aggregate ─cells→ examination ─examined→ evidence ─posterior→ flags → report

Engagement flags a label; it never changes one.
"""
