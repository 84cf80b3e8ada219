"""What eyes look at: contact sheets of stores and of what a network predicts.

compose_sheet, save_sheet, SheetRow   the sheet's layout
person_panels                         what a store knows of one person, as panels
"""

from __future__ import annotations

from pymaf_data.report.sheet import SheetRow, compose_sheet, save_sheet

__all__ = ["SheetRow", "compose_sheet", "save_sheet"]
