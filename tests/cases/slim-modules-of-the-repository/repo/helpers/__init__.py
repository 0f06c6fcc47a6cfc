import base_tool
