"""body/assets"""
