"""What eyes look at: pages of stores and of runs, contact sheets.

make            a store or a run → one HTML file
gather          a store as a table: measures, posture, states; selection: whose images are shown
store_page, run_page, html, page/    what a page holds, and the file that it becomes
sources         the part about sources of fits, and the files beside the page
panels, persons, thumbnails, run_images    what is known of a person, as images
sheet           the contact sheet at the end of a recipe, as PNG
"""
